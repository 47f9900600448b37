NAMES = {"n": "north", "s": "south"}
