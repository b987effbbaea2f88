"""What keeps a report from being filed, in the words of those who write it. Pure."""


class FilingFault(Exception):
    """A report that can't be written: which field, and what is wrong with it."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field} {detail}")
        self.field = field
        self.detail = detail
