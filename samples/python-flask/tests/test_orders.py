from app import create_app


def test_orders_are_numbered():
    client = create_app().test_client()
    assert client.post("/orders", json={"item": "tea"}).get_json()["number"] == 1
    assert client.post("/orders", json={}).status_code == 400
    assert client.get("/healthz").get_json() == {"status": "ok", "orders": 1}
