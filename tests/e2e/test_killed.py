"""Everything is killed at the worst moments, and kept away for a while: nothing is lost, and nothing happens twice."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chaos.installation import RESTART_SECONDS_MAX, Installation, wait_seconds
from chaos.shop import Shop
from stack.settings import SERVICES
from tests.waiting import wait_until

POINTS = ("consumer.before_commit", "consumer.after_commit", "relay.before_ack", "relay.after_ack")
"""After insert before commit, after commit before the offsets are known, after commit before ack, after ack before
delete. After a commit and before its answer is the edge's."""
EDGE_POINTS = ("edge.before_commit", "edge.after_commit")
TAKE_REQUESTS = ("payments", "accounts")
AWAY_SECONDS = 20
NOTICED_SECONDS_MAX = 30.0


def _deaths(service: str) -> tuple[str, ...]:
    return (*POINTS, *(EDGE_POINTS if service in TAKE_REQUESTS else ()))


def test_every_service_dies_at_every_named_point(installation: Installation, shop: Shop) -> None:
    def die(service: str) -> int:
        for point in _deaths(service):
            installation.die_at(service, point)
        return len(_deaths(service))

    with shop.trading(), ThreadPoolExecutor(len(SERVICES)) as pool:
        deaths = sum(pool.map(die, SERVICES))
    assert deaths == len(SERVICES) * len(POINTS) + len(TAKE_REQUESTS) * len(EDGE_POINTS)
    assert shop.seen["broken"]
    installation.come_to_rest()
    shop.require_once()


def test_broker_database_and_registry_are_killed_in_mid_stream(installation: Installation, shop: Shop) -> None:
    with shop.trading():
        for part in ("kafka", "postgres", "registry"):
            installation.kill(part)
            installation.supervisor.wait_ready(part)
            installation.wait_ready()
            shop.pay()
    installation.come_to_rest()
    shop.require_once()


def test_while_the_broker_is_away_payments_are_accepted_and_services_say_that_they_cannot_work(
    installation: Installation, shop: Shop
) -> None:
    with shop.trading():
        with installation.away("kafka"):
            shop.seen.clear()
            wait_until(
                lambda: not any(map(installation.is_ready, SERVICES)),
                seconds_max=NOTICED_SECONDS_MAX,
                every_seconds=0.2,
            )
            wait_seconds(AWAY_SECONDS)
            assert shop.seen["202"] and not shop.seen.keys() - {"200", "201", "202"}, shop.seen
        installation.wait_ready()
    installation.come_to_rest()
    shop.require_once()


def test_while_the_database_is_away_requests_are_put_off_and_services_say_that_they_cannot_work(
    installation: Installation, shop: Shop
) -> None:
    with shop.trading():
        with installation.away("postgres"):
            wait_until(
                lambda: not any(map(installation.is_ready, SERVICES)),
                seconds_max=NOTICED_SECONDS_MAX,
                every_seconds=0.2,
            )
            shop.seen.clear()
            wait_seconds(AWAY_SECONDS)
            assert shop.seen["503"] and set(shop.seen) == {"503"}, shop.seen
        installation.wait_ready()
    installation.come_to_rest()
    shop.require_once()


def test_without_the_registry_what_runs_goes_on_and_what_starts_waits_for_it(
    installation: Installation, shop: Shop
) -> None:
    with shop.trading():
        with installation.away("registry"):
            shop.seen.clear()
            known = len(_log(installation, "fraud"))
            installation.kill("fraud")
            wait_until(
                lambda: "the schema registry does not answer" in _log(installation, "fraud")[known:],
                seconds_max=RESTART_SECONDS_MAX,
            )
            assert not installation.is_ready("fraud")
            assert installation.is_ready("payments", "compliance", "accounts")
            wait_until(lambda: shop.seen["202"] > 5)
            assert not shop.seen.keys() - {"200", "201", "202"}, shop.seen
        installation.wait_ready("fraud")
    installation.come_to_rest()
    shop.require_once()


def _log(installation: Installation, service: str) -> str:
    return (installation.settings.folder / "logs" / f"{service}.log").read_text()


@pytest.fixture(autouse=True)
def _well_afterwards(installation: Installation) -> None:
    """Nothing is left from the test before: its faults are its own."""
    assert installation.is_ready()
