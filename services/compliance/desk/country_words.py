"""Countries as people read them."""

from services.compliance.lists.countries import country_name


def country_in_words(code: str) -> str:
    """ "Iraq (IQ)"; the code alone where it has no name here."""
    name = country_name(code)
    return name if name == code else f"{name} ({code})"
