from collections import Counter


class Pings:
    """How often each name was seen."""

    def __init__(self) -> None:
        self._seen = Counter()

    def count(self, name: str) -> int:
        self._seen[name] += 1
        return self._seen[name]
