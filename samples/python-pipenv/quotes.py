import bottle

QUOTES = ["Less, but better.", "Form follows function."]

app = bottle.Bottle()


@app.get("/healthz")
def healthz():
    return {"status": "ok"}


@app.get("/quotes/<number:int>")
def quote(number):
    if number >= len(QUOTES):
        bottle.abort(404, "no such quote")
    return {"quote": QUOTES[number]}
