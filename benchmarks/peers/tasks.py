"""The task of the peers that are not Django."""


def say_hello(name: str) -> str:
    return f"Hello, {name}!"
