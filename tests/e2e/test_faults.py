"""The short form of `make chaos`: what harms a network and a pool, on the tier's own installation."""

import pytest

from chaos.faults import FAULTS
from chaos.installation import Installation
from chaos.scene import Scene
from chaos.shop import Shop

SEED = 1
SHARE_OF_TIME = 0.2


@pytest.mark.parametrize("name", ["database_wire", "broker_wire", "pool_exhausted"])
def test_after_a_fault_everything_still_holds(installation: Installation, shop: Shop, name: str) -> None:
    scene = Scene(installation, shop, seed=SEED, fault=name, share_of_time=SHARE_OF_TIME)
    with scene.under_way():
        FAULTS[name].inflict(scene)
    assert len(scene.recoveries) == len(scene.done) > 1
    installation.come_to_rest()
    shop.require_once()


def test_after_all_of_them_the_books_the_journal_and_the_audit_log_are_sound(installation: Installation) -> None:
    installation.require_sound_records()
