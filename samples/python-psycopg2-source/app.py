import psycopg2
from flask import Flask, jsonify

from ledger import Ledger

app = Flask(__name__)
ledger = Ledger()


@app.get("/healthz")
def healthz():
    return jsonify(status="ok", libpq=psycopg2.__libpq_version__ >= 130000)


@app.get("/balance")
def balance():
    try:
        return jsonify(balance=ledger.balance())
    except psycopg2.OperationalError:
        return jsonify(error="the database is away"), 503
