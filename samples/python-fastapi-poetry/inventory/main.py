from fastapi import FastAPI
from pydantic import BaseModel

from .shelves import Shelves

app = FastAPI()
shelves = Shelves()


class Delivery(BaseModel):
    item: str
    count: int = 1


@app.get("/healthz")
def healthz():
    return {"status": "ok"}


@app.get("/items")
def items():
    return shelves.counts()


@app.post("/deliveries", status_code=201)
def deliver(delivery: Delivery):
    return {"item": delivery.item, "count": shelves.add(delivery.item, delivery.count)}
