import signal
import sys

import waitress

from quotes import app

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
waitress.serve(app, listen="*:8080")
