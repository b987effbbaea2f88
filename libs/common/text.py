"""Text from outside, made fit for any column and any log."""


def printable(text: str) -> str:
    """The text without the one character that Postgres refuses, and without broken surrogates."""
    return text.replace("\x00", "\N{SYMBOL FOR NULL}").encode(errors="replace").decode()
