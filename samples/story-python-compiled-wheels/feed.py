TITLES = ["first", "second"]
