"""Whole stories of the four real domains, thousands of them, each decided by its seed.

A failure names its seed and how to play it alone:

    WEIR_SIMULATION_SEED=1234 .venv/bin/python -m pytest tests/simulation -k promise

`WEIR_SIMULATION_SEEDS=20000` plays so many of them (seeds are counted from 0), about ten a second;
`WEIR_SIMULATION_FIRST_SEED=20000` begins elsewhere. What happens in a story is in `town.py`, what must
hold is in `promises.py` and, of the books, in `books.py`, and how the world misbehaves is in `world.py`.
"""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from libs.common.message import Message
from schemas.accounts.events import AccountFrozen, FundsPostRefused, FundsReleased, HoldEnded
from schemas.compliance.events import CaseResolved, CustomerRestricted
from schemas.payments.events import (
    PaymentAnswerOverdue,
    PaymentAuthorised,
    PaymentResumed,
    PaymentSuspended,
    RefundAnswerOverdue,
    RefundRejected,
    RefundSettled,
)
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.refusals import RefusalReason
from services.compliance.domain.case import ActKind
from services.payments.domain.payment import ENDS, Charge
from tests.simulation.town import HANDLERS, Town, new_memories
from tests.simulation.world import NOTHING_GOES_WRONG, Published, Service

SEEDS_DEFAULT = 150
GROUP_SIZE = 50
STORIES = 50
ROOT = Path(__file__).parents[2]


def _seeds() -> range:
    one = os.environ.get("WEIR_SIMULATION_SEED")
    if one is not None:
        return range(int(one), int(one) + 1)
    first = int(os.environ.get("WEIR_SIMULATION_FIRST_SEED", "0"))
    return range(first, first + int(os.environ.get("WEIR_SIMULATION_SEEDS", str(SEEDS_DEFAULT))))


SEEDS = _seeds()
GROUPS = [SEEDS[start : start + GROUP_SIZE] for start in range(0, len(SEEDS), GROUP_SIZE)]


def play(seed: int) -> Town:
    """One story. A failure says how to see it again."""
    try:
        return Town(seed).play()
    except Exception as error:
        error.add_note(
            f"seed {seed}; alone: WEIR_SIMULATION_SEED={seed} .venv/bin/python -m pytest tests/simulation -k promise"
        )
        raise


remembered = cache(play)


def story(seed: int) -> Town:
    """One story; of those that are looked at from more than one side it is played once."""
    return remembered(seed) if seed < STORIES else play(seed)


def stories() -> list[Town]:
    """Some stories, to look at from more than one side; always the same."""
    return [story(seed) for seed in range(STORIES)]


@pytest.mark.parametrize("seeds", GROUPS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_whatever_goes_wrong_every_promise_holds(seeds: range) -> None:
    for seed in seeds:
        story(seed)


def test_the_same_seed_tells_the_same_story_in_another_process() -> None:
    """Ids included. Another process hashes strings differently, which must not decide anything."""
    seed = 0
    code = f"from tests.simulation.test_journeys import digest, play; print(digest(play({seed})))"
    elsewhere = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout.strip() == digest(play(seed))


def digest(town: Town) -> str:
    """All that a story told, in one word."""
    return hashlib.sha256(repr(town.world.log).encode()).hexdigest()


@pytest.mark.parametrize("size_max", [1, 50])
def test_the_same_order_leads_to_the_same_outcome_in_batches_of_any_size(size_max: int) -> None:
    for seed, town in enumerate(stories()):
        for service in town.world.services.values():
            again = decided_again(service, Random(seed), size_max)
            assert again.published == service.published, f"seed {seed}: {service.name} tells something else"
            assert again.memory.everything == service.memory.everything, f"seed {seed}: {service.name}"


def decided_again(service: Service, chance: Random, size_max: int) -> Service:
    """A service with an empty memory that is given all that another one has committed, in other batches."""
    again = Service(HANDLERS[service.name], new_memories()[service.name])
    for batch in _batches(service.committed, chance, size_max):
        if callable(batch):
            batch(again.memory)
        else:
            state, _, published = again.decide(batch)
            again.commit(batch, state, published)
    return again


def _batches(
    committed: list[Message | Callable[[Any], None]], chance: Random, size_max: int
) -> Iterator[list[Message] | Callable[[Any], None]]:
    """The messages in batches; what else has changed the memory stays between the same two."""
    batch: list[Message] = []
    size = chance.randint(1, size_max)
    for one in committed:
        if not isinstance(one, Message):
            yield batch
            yield one
            batch = []
        else:
            batch.append(one)
        if len(batch) >= size:
            yield batch
            batch, size = [], chance.randint(1, size_max)
    yield batch


def test_where_nothing_goes_wrong_all_is_told_once() -> None:
    """The simulation itself must not need its misfortunes, and without them no answer is ever asked for twice."""
    town = Town(0, NOTHING_GOES_WRONG).play()
    for queue in town.world.bus.values():
        told = [published.event_id for published in queue]
        assert len(set(told)) == len(told)


def test_the_stories_are_about_everything_that_matters() -> None:
    """A simulation in which nothing happens would pass: each of these must have happened, and often."""
    kinds = Counter(type(published.event) for town in stories() for published in town.world.log)
    for kind in (
        PaymentSuspended,
        PaymentResumed,
        PaymentAnswerOverdue,
        CaseResolved,
        CustomerRestricted,
        FundsPostRefused,
        FundsReleased,
        PaymentAuthorised,
        RefundAnswerOverdue,
        RefundSettled,
        RefundRejected,
        HoldEnded,
    ):
        assert kinds[kind] >= 10, kind
    receiving = [p.event for town in stories() for p in town.world.log if isinstance(p.event, AccountFrozen)]
    assert sum(event.may_receive for event in receiving) >= 10
    acts = Counter(act.kind for town in stories() for act in town.compliance.acts)
    assert acts[ActKind.TAKEN_OVER] >= 10
    again = [len(set(known.screenings)) > 1 for town in stories() for known in town.promises.payments_known]
    assert sum(again) >= 5, "payments whose screening changed while they waited"
    ends = Counter(payment.state for town in stories() for payment in town.payments.payments.values())
    assert ends.keys() == ENDS and min(ends.values()) >= 20, ends
    payments = [payment for town in stories() for payment in town.payments.payments.values()]
    settled = [payment for payment in payments if payment.settled is not None]
    assert (
        sum(p.settled != Charge(amount_minor=p.order.amount_minor, fee_minor=p.order.fee_minor) for p in settled) >= 5
    ), "taken in part"
    assert sum(0 < p.refunded_minor < p.order.amount_minor for p in settled) >= 10, "given back in part"
    steps = Counter(step.what for payment in payments for step in payment.steps)
    assert steps["not captured in time"] >= 10
    moved = Counter(transfer.kind for town in stories() for transfer in town.accounts.transfers)
    assert moved.keys() == set(TransferKind) and min(moved.values()) >= 20, moved
    asked = sum((town.requests for town in stories()), Counter[Any]())
    for request, why in (
        ("Book", RefusalReason.DAILY_LIMIT_EXCEEDED),
        ("Book", RefusalReason.MONTHLY_LIMIT_EXCEEDED),
        ("Reverse", RefusalReason.ALREADY_REVERSED),
        ("PostHold", RefusalReason.HOLD_ENDED),
        ("PostHold", RefusalReason.OF_A_PAYMENT),
        ("PostHolds", None),
        ("PostHolds", RefusalReason.AMOUNT_EXCEEDS_HELD),
        ("Reverse", RefusalReason.OF_THE_HOUSE),
    ):
        assert asked[request, why], (request, why)
    assert sum(count for (_, why), count in asked.items() if why is RefusalReason.CEILING_EXCEEDED) >= 1
    assert sum(len(town.world.replayed[name]) for town in stories() for name in HANDLERS) >= 40


def test_events_of_one_aggregate_are_on_the_bus_in_order() -> None:
    """Order is kept per key within a topic, repeats aside: what the world promises to the services it tests."""
    for town in stories()[:10]:
        for queue in town.world.bus.values():
            firsts: dict[str, Published] = {published.event_id: published for published in queue}
            by_subject: dict[str, list[int]] = {}
            for published in firsts.values():
                by_subject.setdefault(published.event.contract.subject_of(published.event), []).append(published.number)
            for numbers in by_subject.values():
                assert all(after == before + 1 for before, after in pairwise(numbers))
