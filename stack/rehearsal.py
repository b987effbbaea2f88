"""Starts the Java parts once for nothing but what Java makes of their classes, so that all later starts take less."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from stack import java, kafka, registry
from stack.cache import locked
from stack.native import Native
from stack.part import Program, Say, StackError
from stack.settings import StackSettings
from stack.supervision import Supervisor

_PORTS_APART = 100
"""From those of an installation, which may be running."""


def rehearse(settings: StackSettings, say: Say) -> None:
    """Keep what is not kept yet. Only starts depend on it, so it may fail: why is said."""
    kept = {"kafka": java.kept(kafka.home(settings)), "registry": java.kept(registry.home(settings))}
    with locked(settings.cache / "rehearsal.lock"):
        missing = {name: file for name, file in kept.items() if not file.exists()}
        if not missing:
            return
        say(f"a rehearsal, so that Java starts {' and '.join(missing)} in less time from now on")
        try:
            _keep(settings, missing)
        except StackError as error:
            say(f"Java starts as slowly as ever: {error}")


def _keep(settings: StackSettings, files: Mapping[str, Path]) -> None:
    drafts = {name: file.with_suffix(".draft") for name, file in files.items()}
    with TemporaryDirectory() as folder:
        apart = {"folder": Path(folder), "port_base": settings.port_base + _PORTS_APART, "stack_secure": False}
        native = _Rehearsal(settings.model_copy(update=apart), drafts)
        try:
            native.start_parts(lambda _: None)
        finally:
            native.stop()
            native.forget()
    for name, draft in drafts.items():
        if not draft.exists():
            raise StackError(f"{name} has kept nothing.")
        draft.replace(files[name])


class _Rehearsal(Native):
    """The parts, some of which keep what they make of their classes when they are stopped."""

    def __init__(self, settings: StackSettings, files: Mapping[str, Path]) -> None:
        super().__init__(settings, Supervisor(settings), {})
        self._files = files

    def programs(self) -> list[Program]:
        found = super().programs()
        return [java.keeping(one, self._files[one.name]) if one.name in self._files else one for one in found]
