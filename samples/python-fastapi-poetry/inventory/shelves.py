class Shelves:
    """How many there are of each item."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, item: str, count: int) -> int:
        self._counts[item] = self._counts.get(item, 0) + count
        return self._counts[item]

    def counts(self) -> dict[str, int]:
        return dict(sorted(self._counts.items()))
