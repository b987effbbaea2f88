"""What is written for supervisord is what it reads."""

import pytest
from supervisor.datatypes import dict_of_key_value_pairs
from supervisor.options import expand

from stack.part import StackError
from stack.supervision import value_as_written

VALUES = [
    "",
    "5",
    "postgresql+psycopg://payments:secret@127.0.0.1:5432/payments",
    '[{"currency": "EUR", "percent": "0.4"}]',
    "it's 100% sure",
    "a\\b, c=d; # e",
]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_arrives_as_it_was(value: str) -> None:
    written = f"FIRST={value_as_written(value)},SECOND={value_as_written('2')}"
    assert dict_of_key_value_pairs(expand(written, {}, "environment")) == {"FIRST": value, "SECOND": "2"}


@pytest.mark.parametrize("value", ['it\'s "so" sure', '"quoted"', "'"])
def test_a_value_that_would_not_arrive_is_refused(value: str) -> None:
    with pytest.raises(StackError, match="quotes"):
        value_as_written(value)
