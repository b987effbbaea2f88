"""Keeps the programs alive: supervisord with a configuration written here, spoken to over its socket."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import Faults, SupervisorTransport

from stack.part import Program, StackError
from stack.settings import StackSettings

POLL_SECONDS = 0.1
STOP_SECONDS_MAX = 60
_RUNNING = ("RUNNING", "STARTING", "BACKOFF", "STOPPING")


class Supervisor:
    """The programs of one installation: start, stop, restart, and see how they are."""

    def __init__(self, settings: StackSettings) -> None:
        self._folder = settings.folder
        self._configuration = settings.folder / "supervisord.conf"
        self._programs: dict[str, Program] = {}

    def declare(self, programs: Sequence[Program]) -> None:
        """Say which programs there are. Those already running go on as they are."""
        self._programs = {program.name: program for program in programs}
        self._configuration.parent.mkdir(parents=True, exist_ok=True)
        (self._folder / "logs").mkdir(exist_ok=True)
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(_configuration(self._folder, programs))
        if self.is_alive:
            self._take_over_configuration()
        else:
            self._launch()

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
        """Stop what is running and wait until it is gone."""
        for name in names:
            try:
                self._rpc.stopProcess(name, True)
            except Fault as fault:
                if fault.faultCode not in (Faults.NOT_RUNNING, Faults.BAD_NAME):
                    raise StackError(f"{name} could not be stopped: {fault.faultString}") from fault

    def wait_ready(self, *names: str) -> None:
        """Wait until each is ready to be used. Raises StackError with the end of its log if one never is."""
        for name in names:
            program = self._programs[name]
            deadline = time.monotonic() + program.ready_seconds_max
            while not program.is_ready():
                if time.monotonic() > deadline or self.state(name) in ("FATAL", "EXITED", "STOPPED"):
                    raise StackError(f"{name} did not become ready; {self._tail(name)}")
                time.sleep(POLL_SECONDS)

    def state(self, name: str) -> str:
        return str(self._rpc.getProcessInfo(name)["statename"])

    def pid(self, name: str) -> int:
        """The process id, or 0 when it is not running."""
        return int(self._rpc.getProcessInfo(name)["pid"])

    def states(self) -> dict[str, str]:
        """Each program's state and since when, as supervisord words it."""
        return {info["name"]: f"{info['statename']} {info['description']}" for info in self._rpc.getAllProcessInfo()}

    def shut_down(self) -> None:
        """Stop every program, then the supervisor; return when nothing is left."""
        if not self.is_alive:
            return
        pid = int(self._rpc.getPID())
        self._rpc.shutdown()
        _wait_until(lambda: not _exists(pid), seconds=STOP_SECONDS_MAX, otherwise="the supervisor did not stop")

    @property
    def _rpc(self) -> Any:
        socket = f"unix://{self._folder / 'supervisor.sock'}"
        return ServerProxy("http://supervisor", transport=SupervisorTransport(None, None, socket)).supervisor

    def _launch(self) -> None:
        result = subprocess.run(
            [str(Path(sys.executable).with_name("supervisord")), "-c", str(self._configuration)],
            capture_output=True,
            text=True,
            cwd=self._folder,
        )
        if result.returncode != 0:
            raise StackError(f"the supervisor did not start:\n{result.stdout}{result.stderr}")
        _wait_until(lambda: self.is_alive, seconds=10, otherwise="the supervisor did not answer")

    def _take_over_configuration(self) -> None:
        ((added, changed, removed),) = self._rpc.reloadConfig()
        for name in (*changed, *removed):
            self.stop(name)
            self._rpc.removeProcessGroup(name)
        for name in (*added, *changed):
            self._rpc.addProcessGroup(name)

    def _tail(self, name: str) -> str:
        log = self._folder / "logs" / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines()[-20:] if log.exists() else []
        return "\n".join([f"the end of {log}:", *lines])


def _configuration(folder: Path, programs: Sequence[Program]) -> str:
    sections = [
        f"""[unix_http_server]
file={folder / "supervisor.sock"}
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
    environment = ",".join(f'{name}="{_escaped(value)}"' for name, value in program.environment.items())
    lines = [
        f"[program:{program.name}]",
        "command=" + " ".join(_quoted(word) for word in program.command),
        f"directory={program.directory or folder}",
        f"environment={environment}",
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


def _wait_until(condition: Callable[[], bool], *, seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StackError(otherwise)
        time.sleep(POLL_SECONDS)
