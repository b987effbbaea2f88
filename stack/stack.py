"""One installation of everything: the real parts and Weir's services, brought up and taken down."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from stack import services
from stack.native import NativeParts
from stack.part import Program
from stack.settings import SERVICES, StackSettings
from stack.supervision import Supervisor

Say = Callable[[str], None]


class Stack:
    """Kafka, Postgres, the registry and the services, on one machine."""

    def __init__(self, settings: StackSettings, *, overrides: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """`overrides` are environment variables of single services."""
        self.settings = settings
        self._overrides = overrides or {}

    @cached_property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.settings)

    @cached_property
    def parts(self) -> NativeParts:
        return NativeParts(self.settings, self.supervisor)

    @property
    def is_up(self) -> bool:
        return self.supervisor.is_alive

    def up_parts(self, say: Say = lambda _: None) -> None:
        """Fetch and start the real parts. Repeatable. Raises StackError with what to do."""
        self.parts.fetch(say)
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        if not self.is_up:
            self.parts.require_free_ports()
        self.supervisor.declare([*self.parts.programs(), *self._programs()])
        self.parts.start(say)

    def up(self, say: Say = lambda _: None) -> None:
        """The real parts, and then every service. Repeatable."""
        self.up_parts(say)
        say("databases, topics, schemas")
        services.migrate(self.settings)
        say("the services")
        self.supervisor.start(*SERVICES, services.FEATURES)
        self.supervisor.wait_ready(*SERVICES, services.FEATURES)

    def down(self, *, forget: bool = False) -> None:
        """Stop everything; `forget` removes the data as well."""
        self.supervisor.shut_down()
        if forget:
            self.parts.forget()

    def _programs(self) -> Sequence[Program]:
        programs = [services.program(self.settings, name, self._overrides.get(name, {})) for name in SERVICES]
        return [*programs, services.features_program(self.settings, self._overrides.get(services.FEATURES, {}))]
