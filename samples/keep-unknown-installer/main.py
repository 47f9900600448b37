import subprocess

import requests

print(requests.__version__, subprocess.run(["agent", "--version"], capture_output=True).stdout)
