import signal
import sys

import requests
from flask import Flask, jsonify

from texts import TEXTS

app = Flask(__name__)


@app.route("/")
def index():
    return jsonify(texts=TEXTS, has_requests=bool(requests.__version__))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app.run(host="0.0.0.0", port=5000)
