"""Orders by number."""

from threading import Lock


class Store:
    """Numbers orders from 1."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._orders: list[dict] = []

    def __len__(self) -> int:
        return len(self._orders)

    def add(self, item: str, count: int) -> dict:
        with self._lock:
            order = {"number": len(self._orders) + 1, "item": item, "count": count}
            self._orders.append(order)
            return order

    def all(self) -> list[dict]:
        with self._lock:
            return list(self._orders)
