"""What a seed decides, and what people are told of the faults there are."""

from unittest.mock import MagicMock, Mock

from typer.testing import CliRunner

from chaos.__main__ import _inflict, app, schedule
from chaos.faults import FAULTS
from chaos.scene import Fault, Scene
from stack.settings import REPOSITORY, SERVICES


def test_a_seed_decides_the_order_and_another_seed_another() -> None:
    names = list(FAULTS)
    orders = {seed: [fault.name for fault in schedule(names, seed)] for seed in range(5)}
    assert orders[3] == [fault.name for fault in schedule(names, 3)]
    assert all(sorted(order) == sorted(names) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) > 1


def test_a_fault_alone_harms_whom_it_harms_among_others() -> None:
    drawn = [Scene(Mock(), Mock(), seed=7, fault="database_wire").chance.choice(SERVICES) for _ in range(3)]
    assert len(set(drawn)) == 1
    assert {Scene(Mock(), Mock(), seed=seed, fault="database_wire").chance.choice(SERVICES) for seed in range(20)} == {
        *SERVICES
    }


def test_whatever_goes_wrong_is_reported_with_its_kind() -> None:
    lost = Fault(name="lost", meaning="", inflict=Mock(side_effect=ConnectionError("by peer")))
    scene = Scene(Mock(), MagicMock(), seed=7, fault="lost")
    assert _inflict(lost, scene).broken.startswith("ConnectionError: by peer")


def test_an_unknown_fault_is_named_with_those_there_are() -> None:
    result = CliRunner().invoke(app, ["earthquake", "--seed", "1"])
    assert result.exit_code == 2
    assert "earthquake" in result.output and "kafka_away" in result.output


def test_every_fault_is_in_the_document() -> None:
    page = (REPOSITORY / "docs" / "faults.md").read_text()
    missing = [name for name in FAULTS if f"`{name}`" not in page]
    assert not missing
