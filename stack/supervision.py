"""Keeps the programs alive: supervisord with a configuration written here, spoken to over its socket."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import Faults, SupervisorTransport

from stack import leftovers
from stack.part import PartState, Program, StackError, in_words
from stack.settings import StackSettings
from stack.waiting import wait_until

LAUNCH_SECONDS_MAX = 30
STOP_SECONDS_MAX = 60
LEFTOVER_SECONDS_MAX = 15
_ENDED = ("FATAL", "EXITED", "STOPPED")
SOCKET_PATH_MAX = 90
"""Of the 107 characters a socket's path may have, supervisord takes some for the name it has while being made."""
_WORDS = {"STARTING": "starting", "BACKOFF": "failing", "FATAL": "failing", "STOPPING": "stopping"}


class Supervisor:
    """The programs of one installation: start, stop, restart, and see how they are."""

    def __init__(self, settings: StackSettings) -> None:
        self._folder = settings.folder
        self._configuration = settings.folder / "supervisord.conf"
        self._socket = settings.folder / "supervisor.sock"
        self._programs: dict[str, Program] = {}

    def know(self, programs: Sequence[Program]) -> None:
        """Learn which programs there are, without touching what runs."""
        self._programs = {program.name: program for program in programs}

    def declare(self, programs: Sequence[Program]) -> None:
        """Say which programs there are. Those already running go on as they are."""
        self.know(programs)
        (self._folder / "logs").mkdir(parents=True, exist_ok=True)
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(_configuration(self._folder, self._socket, programs))
        if self.is_alive:
            self._take_over_configuration()
        else:
            self._launch()

    def require_known(self, name: str) -> None:
        """Raise StackError, with the names there are, when this is none of them."""
        if name not in self._programs:
            raise StackError(f"There is no {name!r}; there are {', '.join(sorted(self._programs))}.")

    def require_usable_folder(self) -> None:
        """Raise StackError when its path leaves no room for the socket's."""
        if len(str(self._socket)) > SOCKET_PATH_MAX:
            raise StackError(
                f"The path {self._socket} is too long for a socket (at most {SOCKET_PATH_MAX} characters).\n"
                "Set WEIR_FOLDER to a shorter one."
            )

    @property
    def is_alive(self) -> bool:
        try:
            return bool(self._rpc.getState()["statename"] == "RUNNING")
        except (OSError, Fault):
            return False

    def start(self, *names: str) -> None:
        """Start what is not running; return at once."""
        for name in names:
            try:
                self._rpc.startProcess(name, False)
            except Fault as fault:
                if fault.faultCode != Faults.ALREADY_STARTED:
                    raise StackError(f"{name} could not be started: {fault.faultString}; {self._tail(name)}") from fault

    def stop(self, *names: str) -> None:
        """Stop what is running, side by side, and wait until all of it is gone."""
        for name in names:
            try:
                self._rpc.stopProcess(name, False)
            except Fault as fault:
                if fault.faultCode not in (Faults.NOT_RUNNING, Faults.BAD_NAME):
                    raise StackError(f"{name} could not be stopped: {fault.faultString}") from fault
        wait_until(lambda: not self._running() & set(names), seconds=STOP_SECONDS_MAX)

    def wait_ready(self, *names: str) -> None:
        """Wait until each is ready to be used. Raises StackError with the end of its log if one never is."""
        for name in names:
            program = self._programs[name]

            def is_decided(program: Program = program) -> bool:
                return program.is_ready() or self.state(program.name) in _ENDED

            wait_until(is_decided, seconds=program.ready_seconds_max)
            if not program.is_ready():
                raise StackError(f"{name} did not become ready; {self._tail(name)}")

    def state(self, name: str) -> str:
        return str(self._rpc.getProcessInfo(name)["statename"])

    def pid(self, name: str) -> int:
        """The process id, or 0 when it is not running."""
        return int(self._rpc.getProcessInfo(name)["pid"])

    def exit_status(self, name: str) -> int:
        """How a program ended that does not run: 0 if it ended well."""
        return int(self._rpc.getProcessInfo(name)["exitstatus"])

    def states(self) -> list[PartState]:
        """How each declared program is."""
        found = {info["name"]: info for info in self._rpc.getAllProcessInfo()}
        return [_state(found[name], program) for name, program in self._programs.items() if name in found]

    def log_of(self, name: str) -> Path:
        return self._folder / "logs" / f"{name}.log"

    def shut_down(self, *, first: Sequence[str] = ()) -> None:
        """Stop the programs named first, then all others, then the supervisor; return when nothing is left."""
        if not self.is_alive:
            return
        self.stop(*first)
        self.stop(*self._running())
        pid = int(self._rpc.getPID())
        self._rpc.shutdown()
        wait_until(lambda: not _exists(pid), seconds=STOP_SECONDS_MAX)

    def end_leftovers(self) -> int:
        """End a supervisor that doesn't answer, what outlived one that was killed, and remove its files.

        Returns how many processes that were.
        """
        ended = leftovers.end(f"unix://{self._socket}", self._configuration, seconds=LEFTOVER_SECONDS_MAX)
        for path in (self._socket, self._folder / "supervisord.pid"):
            path.unlink(missing_ok=True)
        return ended

    def _running(self) -> set[str]:
        return {info["name"] for info in self._rpc.getAllProcessInfo() if info["statename"] not in _ENDED}

    @property
    def _rpc(self) -> Any:
        socket = f"unix://{self._socket}"
        return ServerProxy("http://supervisor", transport=SupervisorTransport(None, None, socket)).supervisor

    def _launch(self) -> None:
        result = subprocess.run(
            [str(Path(sys.executable).with_name("supervisord")), "-c", str(self._configuration)],
            capture_output=True,
            text=True,
            cwd=self._folder,
        )
        if result.returncode != 0:
            raise StackError(f"The supervisor did not start:\n{result.stdout}{result.stderr}")
        if not wait_until(lambda: self.is_alive, seconds=LAUNCH_SECONDS_MAX):
            raise StackError("The supervisor did not answer.")

    def _take_over_configuration(self) -> None:
        ((added, changed, removed),) = self._rpc.reloadConfig()
        for name in (*changed, *removed):
            self.stop(name)
            self._rpc.removeProcessGroup(name)
        for name in (*added, *changed):
            self._rpc.addProcessGroup(name)

    def _tail(self, name: str) -> str:
        log = self.log_of(name)
        lines = log.read_text(errors="replace").splitlines()[-20:] if log.exists() else []
        return "\n".join([f"the end of {log}:", *lines])


def _state(info: Mapping[str, Any], program: Program) -> PartState:
    if info["statename"] == "RUNNING":
        return PartState(
            name=program.name,
            state="ready" if program.is_ready() else "starting",
            age=in_words(timedelta(seconds=info["now"] - info["start"])),
        )
    return PartState(name=program.name, state=_WORDS.get(info["statename"], "stopped"), age="")


def _configuration(folder: Path, socket: Path, programs: Sequence[Program]) -> str:
    sections = [
        f"""[unix_http_server]
file={socket}
chmod=0700

[supervisord]
logfile={folder / "logs" / "supervisord.log"}
pidfile={folder / "supervisord.pid"}
loglevel=warn

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    ]
    sections += [_section(folder, program) for program in programs]
    return "\n".join(sections)


def _section(folder: Path, program: Program) -> str:
    lines = [
        f"[program:{program.name}]",
        "command=" + " ".join(_quoted(word) for word in program.command),
        f"directory={program.directory or folder}",
        f"environment={environment_line(program.environment)}",
        f"stdout_logfile={folder / 'logs' / program.name}.log",
        "stdout_logfile_maxbytes=50MB",
        "redirect_stderr=true",
        "autostart=false",
        "autorestart=true",
        "startretries=1000000",
        "startsecs=1",
        f"stopsignal={program.stop_signal}",
        f"stopwaitsecs={program.stop_seconds}",
    ]
    if program.user:
        lines.append(f"user={program.user}")
    return "\n".join(lines) + "\n"


def environment_line(environment: Mapping[str, str]) -> str:
    """Variables as supervisord reads them, which knows no escape: each is in whichever quotes it does not have.

    Raises StackError for one that has both, or has quotes at its ends.
    """
    pairs = []
    for name, value in environment.items():
        quote = "'" if '"' in value else '"'
        if quote in value or value != value.strip("'\""):
            raise StackError(f"{name} can't be given to a program: supervisord has no quotes for {value!r}.")
        pairs.append(f"{name}={quote}{value.replace('%', '%%')}{quote}")
    return ",".join(pairs)


def _quoted(word: str) -> str:
    return f'"{_escaped(word)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
