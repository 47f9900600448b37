from math import cos, pi


def tide(hour: int) -> float:
    return 2 + 1.5 * cos(2 * pi * hour / 12.4)
