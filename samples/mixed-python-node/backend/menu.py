def dishes() -> list[str]:
    return ["soup", "pie"]
