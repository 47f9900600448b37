"""A list of orders, kept in memory."""

from flask import Flask, abort, jsonify, request

from .store import Store


def create_app() -> Flask:
    """The service, with an empty list."""
    app = Flask(__name__)
    store = Store()

    @app.get("/healthz")
    def healthz():
        return jsonify(status="ok", orders=len(store))

    @app.get("/orders")
    def list_orders():
        return jsonify(store.all())

    @app.post("/orders")
    def add_order():
        body = request.get_json(silent=True)
        if not isinstance(body, dict) or "item" not in body:
            abort(400, "an order needs an item")
        order = store.add(str(body["item"]), int(body.get("count", 1)))
        return jsonify(order), 201

    return app
