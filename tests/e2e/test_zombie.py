"""Several processes of one service: they share the work; one that stood still is fenced, a dead leader replaced."""

from chaos.installation import LOOK_SECONDS, RESTART_SECONDS_MAX, Installation
from chaos.shop import Shop
from tests.waiting import wait_until

SHARDS = 4


def test_a_consumer_that_stood_still_is_fenced_and_does_nothing_twice(installation: Installation, shop: Shop) -> None:
    with installation.another("payments", "worker") as zombie:
        frozen = installation.arm(zombie.name, "consumer.before_claim", then="SIGSTOP")
        # The messages it has in its hands, and all that follows them, are applied by the other.
        shop.pay_until(lambda: not frozen.exists())
        wait_until(lambda: zombie.is_frozen)
        shop.pay_many(20)
        installation.wait_for_ends()
        assert zombie.is_frozen
        zombie.go_on()
        wait_until(lambda: "no longer ours" in zombie.log)
        wait_until(
            lambda: installation.metric(zombie.url, "consumer_rebalances_total") > 2, seconds_max=RESTART_SECONDS_MAX
        )
        zombie.wait_ready()
    installation.come_to_rest()
    shop.require_once()


def test_two_processes_share_the_work_and_the_relay_moves_when_its_leader_dies(
    installation: Installation, shop: Shop
) -> None:
    first_url = installation.url("payments")
    with installation.another("payments", "api", "worker", "relay") as second:
        assert (installation.metric(first_url, "outbox_leader"), installation.metric(second.url, "outbox_leader")) == (
            SHARDS,
            0,
        )
        applied = installation.metric(first_url, "consumer_records_total")
        shop.pay_until(
            lambda: (
                installation.metric(second.url, "consumer_records_total") > 0
                and installation.metric(first_url, "consumer_records_total") > applied
            ),
            urls=(first_url, second.url),
        )
        installation.kill("payments")
        wait_until(lambda: installation.metric(second.url, "outbox_leader") == SHARDS, every_seconds=LOOK_SECONDS)
        shop.pay_many(10, second.url)
        # The one that was killed comes back, and finds the shards led.
        installation.wait_ready("payments")
        assert installation.metric(first_url, "outbox_leader") == 0
        installation.wait_for_ends()
    installation.come_to_rest()
    shop.require_once()
