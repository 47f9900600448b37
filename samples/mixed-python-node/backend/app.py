from pathlib import Path

from flask import Flask, jsonify

from menu import dishes

app = Flask(__name__, static_folder=str(Path(__file__).parent.parent / "frontend" / "dist"), static_url_path="/")


@app.get("/api/dishes")
def list_dishes():
    return jsonify(dishes())


@app.get("/")
def index():
    return app.send_static_file("index.html")
