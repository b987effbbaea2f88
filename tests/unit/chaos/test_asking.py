"""Who asks until there is an answer: what is put off, what is refused, and what the same request gets once more."""

from collections.abc import Callable
from unittest.mock import Mock

import httpx
import pytest

from chaos import asking as module
from chaos.asking import STILL_RUNS, Asking

PATH = "/v1/payments/1/capture"
TOO_LATE = {"type": "urn:weir:problem:payment_ended", "reason": "payment_ended"}
RUNS = {"type": STILL_RUNS, "reason": "request_in_progress"}
WAIT = {"Retry-After": "1"}


@pytest.fixture
def of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asking]:
    """One who asks somebody that answers this, one after another."""
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.001)

    def make(*answers: httpx.Response | httpx.TransportError) -> Asking:
        left = iter(answers)

        def answer(_: httpx.Request) -> httpx.Response:
            found = next(left)
            if isinstance(found, httpx.TransportError):
                raise found
            return found

        installation = Mock(authorization={}, url=lambda service: f"http://{service}")
        return Asking(installation, transport=httpx.MockTransport(answer))

    return make


def test_what_is_put_off_or_breaks_is_asked_again_until_there_is_an_answer(of: Callable[..., Asking]) -> None:
    asking = of(
        httpx.ConnectError("away"),
        httpx.Response(503, headers=WAIT, json={}),
        httpx.Response(409, headers=WAIT, json=RUNS),
        httpx.Response(202, json={"state": "processing"}),
    )
    assert asking.ask("captured", "payments", PATH, b"{}").told == {"state": "processing"}
    assert asking.seen == {"broken": 1, "503": 1, "409": 1, "202": 1}
    assert asking.done == {"captured": 1}


def test_a_conflict_with_what_has_happened_since_is_an_answer_and_not_put_off(of: Callable[..., Asking]) -> None:
    asking = of(httpx.Response(409, json=TOO_LATE))
    sent = asking.ask("captured", "payments", PATH, b"{}", may_be_refused=("payment_ended",))
    assert sent.is_refused
    assert (asking.seen, asking.done, asking.refused) == ({}, {}, {"payment_ended": 1})


def test_a_refusal_that_nothing_excuses_is_a_failure_that_names_it(of: Callable[..., Asking]) -> None:
    with pytest.raises(AssertionError, match="payment_ended"):
        of(httpx.Response(409, json=TOO_LATE)).ask("refunded", "payments", PATH, b"{}")


def test_who_is_put_off_without_being_told_until_when_fails(of: Callable[..., Asking]) -> None:
    with pytest.raises(KeyError):
        of(httpx.Response(503, json={})).ask("refunded", "payments", PATH, b"{}")


def test_the_same_request_has_to_get_the_very_same_answer_and_is_asked_once_more_only(
    of: Callable[..., Asking],
) -> None:
    asking = of(*(httpx.Response(202, json={"refund_id": n}) for n in (1, 1, 2, 2)))
    asking.ask("refunded", "payments", PATH, b"{}")
    asking.require_same_answers()
    asking.require_same_answers()
    asking.ask("refunded", "payments", PATH, b"{}")
    asking.require_same_answers()
    assert asking.seen == {"202": 4}


def test_another_answer_to_the_same_request_is_told(of: Callable[..., Asking]) -> None:
    asking = of(httpx.Response(202, json={"refund_id": 1}), httpx.Response(202, json={"refund_id": 2}))
    asking.ask("refunded", "payments", PATH, b"{}")
    with pytest.raises(AssertionError, match="was answered"):
        asking.require_same_answers()
