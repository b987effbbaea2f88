"""Legal entity identifiers, ISO 17442."""

LENGTH = 20


def is_lei(text: str) -> bool:
    """Whether a legal entity identifier's check digits are right: ISO 7064, MOD 97-10, as ISO 17442 asks."""
    if len(text) != LENGTH or not (text.isascii() and text.isalnum()):
        return False
    return int("".join(str(int(sign, 36)) for sign in text)) % 97 == 1
