"""The last resort, as its runbook says: payments' database from a backup that is older than what was ordered since.

Last of all: afterwards topics tell of payments that their service does not know, for good.
"""

from pathlib import Path
from typing import Any

import pytest

from chaos.installation import LOOK_SECONDS, REST_SECONDS_MAX, Installation
from chaos.shop import Shop
from demo.story import Kind
from libs.common.dead_letters import decode_headers
from operate.forgotten import Again
from services.compliance.domain.cases import payment_case_id
from stack import backups
from tests.waiting import wait_for, wait_until

pytestmark = pytest.mark.timeout(600)
DECIDED_BY_WHAT_TOPICS_TELL = (Kind.GOOD, Kind.SUSPICIOUS, Kind.LISTED, Kind.ALIKE, Kind.ALIKE, Kind.UNDERFUNDED)
"""All but those that wait for a client: no topic tells that it had come."""
_STATES = "SELECT payment_id::text, state FROM payments"
_MONEY = "SELECT account_id::text, posted_minor, entry_count FROM accounts"
_HELD = "SELECT hold_id::text FROM holds WHERE status = 'held'"


def states(installation: Installation) -> dict[str, str]:
    return dict(installation.rows("payments", _STATES))


def moved(installation: Installation) -> set[tuple[Any, ...]]:
    """What every account holds, and how often that has changed."""
    return set(installation.rows("accounts", _MONEY))


def held(installation: Installation) -> set[str]:
    return {hold_id for (hold_id,) in installation.rows("accounts", _HELD)}


def letters(installation: Installation) -> list[str]:
    """What the letters of payments are about: payments, and cases that people have decided."""
    found = installation.rows("payments", "SELECT headers FROM dead_letters WHERE status = 'dead'")
    return [(dict(decode_headers(headers))["ce_subject"] or b"").decode() for (headers,) in found]


def test_orders_since_the_backup_are_named_what_moved_moves_no_second_time_and_the_rest_is_ordered_again(
    installation: Installation, shop: Shop, tmp_path: Path
) -> None:
    file = tmp_path / "payments.dump"
    installation.come_to_rest()
    others = set(letters(installation))
    with installation.away("accounts"):
        # Under way while the copy is made: its answers come after it.
        under_way = [shop.pay(kind=kind) for kind in DECIDED_BY_WHAT_TOPICS_TELL]
        backups.back_up(installation.settings, "payments", file)
    since = shop.pay_many(5)
    installation.wait_for_ends()
    with installation.away("fraud"):
        # Such as have the money: of others, and of what is paid to somebody listed, nothing stays held.
        waiting = shop.pay_many(3, kind=Kind.GOOD)
        wait_until(lambda: held(installation) >= set(waiting), seconds_max=60, every_seconds=LOOK_SECONDS)
        with installation.stack.way.pause("payments"):
            known, money = states(installation), moved(installation)
            backups.restore(installation.settings, "payments", file)

    # What the backup knew comes to the same ends again, from what topics tell, and moves nothing.
    before = {payment_id: state for payment_id, state in known.items() if payment_id not in (*since, *waiting)}
    wait_for(lambda: states(installation), before, seconds_max=REST_SECONDS_MAX)
    assert before.keys() >= set(under_way)
    # The answers to all others are its dead letters: those of services, and those of people about what they had to look
    # at, which depends on how much the customers have paid before.
    payments = {payment_case_id(payment_id): payment_id for payment_id in (*since, *waiting)}
    wait_for(
        lambda: {payments.get(about, about) for about in letters(installation)} - others,
        {*since, *waiting},
        seconds_max=REST_SECONDS_MAX,
    )
    assert moved(installation) == money
    installation.require_sound_ledger()

    status, found = installation.operate("forgotten")
    assert status == 0
    assert {one["id"]: one["order_again"] for one in found} == {
        **dict.fromkeys(since, Again.NO),
        **dict.fromkeys(waiting, Again.YES),
    }
    assert {one["id"]: one["became"] for one in found} == {
        **{payment_id: known[payment_id] for payment_id in since},
        **dict.fromkeys(waiting, "open"),
    }
    status, findings = installation.operate("reconcile", "--may-wait")
    differs = {one["what"]: one["detail"] for one in findings if one["holds"] != "yes"}
    assert status == 1 and "8 on the topic but not accepted" in differs["every payment accepted has exactly one end"]
    ended_otherwise = [told for told in differs.values() if "more than one end" in told or "moved otherwise" in told]
    assert not ended_otherwise, "\n".join(ended_otherwise)

    # Their clients order again what may be: the very same requests are new orders, with ids of their own.
    again = [shop.order_again(payment_id) for payment_id in waiting]
    assert not {*again} & known.keys()
    installation.wait_for_ends()
    assert {payment_id for payment_id in again if payment_id in states(installation)} == {*again}
    assert held(installation) >= set(waiting), "until the holds run out"
    installation.require_sound_ledger()
