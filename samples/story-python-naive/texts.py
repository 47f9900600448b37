TEXTS = ["one", "two"]
