"""Erasing a person: what each service knows of them, what forbids it, and what of it is blanked.

What is sealed is erased by destroying its keys (`keys.py`); an eraser deals with what a service keeps readable.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from libs.common.record import Record


class Whom(Record):
    """Who is to be erased, as the services know the customer."""

    customer_id: str
    account_ids: tuple[str, ...] = ()
    payment_ids: tuple[str, ...] = ()
    """Those that the customer had a part in, on either side."""


class Erasure(Record):
    """An order to erase somebody, for the record."""

    whom: Whom
    actor: str
    reason: str
    at: datetime


class Eraser(Record):
    """A service's part in it. Each function runs in a transaction of its own."""

    identify: Callable[[Connection, Whom], Whom] = lambda _, whom: whom
    """Adds what this service knows the customer by."""
    obstacles: Callable[[Connection, Whom, datetime], list[str]]
    """Why the law, or what is under way, forbids it at this time; empty if nothing does."""
    blank: Callable[[Connection, Erasure], Mapping[str, int]]
    """Blanks or deletes what is readable; how many rows of which table. Repeatable."""
