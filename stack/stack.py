"""One installation of everything: the real parts and Weir's services, brought up and taken down."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

from stack import docker
from stack.cache import locked
from stack.docker import Docker
from stack.native import Native
from stack.part import PartState, Say, StackError
from stack.rehearsal import rehearse
from stack.settings import StackSettings
from stack.supervision import Supervisor

NATIVE: Final = "native"
DOCKER: Final = "docker"


class Way(Protocol):
    """A way of running everything on one machine."""

    @property
    def is_up(self) -> bool: ...
    def start_parts(self, say: Say) -> None: ...
    def start_services(self, say: Say) -> None: ...
    def migrate(self, *names: str) -> None: ...
    def stop(self) -> None: ...
    def forget(self) -> None: ...
    def restart(self, name: str) -> None: ...
    def pause(self, *names: str, stay_stopped: bool = False) -> AbstractContextManager[None]: ...
    def states(self) -> list[PartState]: ...
    def log_command(self, name: str, *, follow: bool) -> list[str]: ...


class Stack:
    """Kafka, Postgres, the registry and the services, on one machine."""

    def __init__(self, settings: StackSettings, *, overrides: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """`overrides` are environment variables of single services."""
        self.settings = settings
        self._overrides = overrides or {}

    @cached_property
    def supervisor(self) -> Supervisor:
        """Keeps the processes of an installation alive that doesn't run in Docker."""
        return Supervisor(self.settings)

    @cached_property
    def way_name(self) -> str:
        """`native` or `docker`: as it was started before, for its data is there; else as asked for; else what is here.

        Raises StackError when another way is asked for than the one that runs.
        """
        asked, known = self.settings.stack, self._known_way
        if known and asked and known != asked and self._way(known).is_up:
            raise StackError(f"It runs already, and not the way WEIR_STACK={asked} asks for: make down first.")
        return asked or known or (DOCKER if docker.is_here() else NATIVE)

    @cached_property
    def way(self) -> Way:
        return self._way(self.way_name)

    @property
    def is_up(self) -> bool:
        return self.way.is_up

    def fetch(self, say: Say = lambda _: None) -> None:
        """Bring what runs as processes of this machine, once, as `up` does too, and rehearse its start.

        Raises StackError with what to do.
        """
        Native(self.settings, self.supervisor, self._overrides).fetch(say)
        rehearse(self.settings, say)

    def up_parts(self, say: Say = lambda _: None) -> None:
        """Fetch and start the real parts. Repeatable. Raises StackError with what to do."""
        self._bring_up(say, with_services=False)

    def up(self, say: Say = lambda _: None) -> None:
        """The real parts, and then every service. Repeatable."""
        self._bring_up(say, with_services=True)

    def down(self, *, forget: bool = False) -> None:
        """Stop everything, however it was started, also what a crash has left; `forget` removes the data as well."""
        ways = [self._way(NATIVE), *([self._way(DOCKER)] if self._known_way == DOCKER else [])]
        with locked(self._lock):
            for way in ways:
                way.stop()
                if forget:
                    way.forget()
            if forget:
                self._lock.unlink(missing_ok=True)

    def _bring_up(self, say: Say, *, with_services: bool) -> None:
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        with locked(self._lock):
            was_up = self.is_up
            self._way_file.write_text(self.way_name)
            try:
                self.way.start_parts(say)
                if with_services:
                    self.way.start_services(say)
            except BaseException:
                # Also when someone presses Ctrl-C: half a stack is of no use, and in the way of the next attempt.
                if not was_up:
                    say("stopping what was started")
                    self.way.stop()
                raise

    def _way(self, name: str) -> Way:
        if name == DOCKER:
            return Docker(self.settings, self._overrides)
        return Native(self.settings, self.supervisor, self._overrides)

    @property
    def _known_way(self) -> str | None:
        if self._way_file.exists():
            return self._way_file.read_text().strip()
        return NATIVE if self.supervisor.is_alive else None

    @property
    def _way_file(self) -> Path:
        return self.settings.folder / "way"

    @property
    def _lock(self) -> Path:
        # Beside the folder, not in it: --clean removes the folder while it holds this.
        return self.settings.folder.with_name(self.settings.folder.name + ".lock")
