"""What a message says is not in the log when deciding on it fails: only which it was, and the kind of the error."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any
from unittest.mock import MagicMock, Mock

import psycopg
import pytest

from libs.common import ids
from libs.common.batch import Decided
from libs.common.edge import CommandError, Edge, Failed
from libs.common.idempotency import RequestKey
from libs.common.inbox import Outcome
from libs.common.message import Message, Trace
from libs.common.sweep import NoClaim, Sweep

SAID = "Ida Sparsam"
TRACE = Trace(correlation_id="c", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def message() -> Message:
    return Message(message_id=ids.new(), body=Mock(), received_at=datetime.now(UTC), trace=TRACE, key="a")


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Each record's fields, once nothing of what was said is found in any of them."""
    formatter = logging.Formatter()
    for record in caplog.records:
        assert SAID not in formatter.format(record)
    return [vars(record) for record in caplog.records]


def test_a_due_decision_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    failed = Decided(message=message(), outcome=Outcome.DEAD, error=ValueError(SAID))
    NoClaim().record(Mock(), Mock(), None, [failed])
    (told,) = logged(caplog)
    assert (told["message_id"], told["error_type"]) == (failed.message.message_id, "ValueError")


def test_a_due_decision_that_cannot_be_stored(caplog: pytest.LogCaptureFixture) -> None:
    due = message()
    unit = Mock(run=Mock(side_effect=psycopg.DataError(SAID)), administer=Mock(return_value=[due]))
    Sweep(unit, Mock(), (), Mock()).run_once()
    (told,) = logged(caplog)
    assert (told["message_id"], told["error_type"]) == (due.message_id, "DataError")


@pytest.mark.parametrize("is_decided", [False, True])
def test_a_command_that_fails(caplog: pytest.LogCaptureFixture, is_decided: bool) -> None:
    def run(messages: object, claim: Any) -> None:
        error = ValueError(SAID)
        if is_decided:
            raise error
        raise CommandError(claim._submissions[0]) from error

    async def submit() -> None:
        edge = Edge(Mock(run=run), MagicMock(), batch_size_max=10, request_seconds_max=5)
        answer = asyncio.ensure_future(
            edge.submit(RequestKey(client_id="ann", route="increments", key="k"), b"", [message()], Mock())
        )
        await asyncio.to_thread(edge.run_once)
        with pytest.raises(Failed):
            await answer

    asyncio.run(submit())
    (told,) = logged(caplog)
    assert told["error_type"] == "ValueError"
