"""What programs are told, as supervisord reads it."""

import pytest
from supervisor.datatypes import dict_of_key_value_pairs

from stack.part import StackError
from stack.supervision import environment_line


def test_variables_come_through_as_they_are() -> None:
    environment = {
        "WEIR_FEES": '[{"currency": "USD", "fixed": "0.10", "percentage": "1.5"}]',
        "WEIR_DATABASE_URL": "postgresql+psycopg://me:it's%40a,secret=@host/base",
        "WEIR_FOLDER": "C:\\nowhere; else # no comment",
        "WEIR_NOTHING": "",
    }
    line = environment_line(environment)
    # Its names are put into a line first: what is meant as a percent sign is written twice.
    assert dict_of_key_value_pairs(line % {}) == environment


@pytest.mark.parametrize("value", ['it\'s "both" of them', "'quoted'", 'ends in "'])
def test_what_it_could_not_read_is_refused(value: str) -> None:
    with pytest.raises(StackError, match="WEIR_WORDS"):
        environment_line({"WEIR_WORDS": value})
