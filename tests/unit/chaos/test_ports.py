"""Where an installation under harm answers."""

from pathlib import Path

from chaos.installation import PORTS_OF_OTHERS, PORTS_OF_OTHERS_MAX
from stack.settings import SERVICES, StackSettings


def test_no_process_besides_takes_the_port_of_a_part(tmp_path: Path) -> None:
    settings = StackSettings(folder=tmp_path, port_base=21_000)
    names = [name for name in dir(StackSettings) if name.endswith("_port") and name != "service_port"]
    taken = {getattr(settings, name) for name in names} | {settings.service_port(service) for service in SERVICES}
    first = settings.port_base + PORTS_OF_OTHERS
    assert len(taken) > 10
    assert not taken & set(range(first, first + PORTS_OF_OTHERS_MAX))
