"""The whole suite as supervised processes on real parts, and the means to do it harm."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from demo import client, desk
from demo.analysts import Analysts
from docs import catalogue
from operate import nothing_lost, topics
from stack import postgres, prometheus, services
from stack.settings import REPOSITORY, SERVICES, StackSettings
from stack.stack import Stack
from tests import in_the_clear
from tests.waiting import wait_until

SESSION_TIMEOUT_MS = 3_000
REVIEW_SECONDS = 5
"""A review that no analyst ends is given up after so long: every coming to rest waits for some."""
CAPTURE_SECONDS = 8
"""An authorised payment that nobody captures ends after so long."""
FEES = '[{"currency": "USD", "fixed": "0.10", "percentage": "1.5"}]'
"""Of a currency that nothing else here pays in."""
ROLES = ("api", "worker", "relay")
PORTS_OF_OTHERS, PORTS_OF_OTHERS_MAX = 110, 40
"""Where processes besides the supervised ones answer: so far above the installation's first port, and so many."""
RESTART_SECONDS_MAX = 150
REST_SECONDS_MAX = 150
END_SECONDS_MAX = 30
COMMAND_SECONDS_MAX = 120
LOOK_SECONDS = 0.2
"""Between two looks that cost something: the processes under test need the machine."""
_OF_LEDGER = (("accounts", "check-books"), ("accounts", "verify-journal"))
_OF_AUDIT_LOG = ("compliance", "verify-audit")
_OF_PAYMENTS = {
    "WEIR_REVIEW_SECONDS": str(REVIEW_SECONDS),
    "WEIR_CAPTURE_SECONDS": str(CAPTURE_SECONDS),
    "WEIR_FEES": FEES,
}


class Installation:
    """Kafka, Postgres, the registry, and every service as a process of this machine: only those can be killed."""

    def __init__(
        self, folder: Path, port_base: int, *, is_secure: bool = False, overrides: Mapping[str, str] | None = None
    ) -> None:
        """`is_secure`: its parts speak TLS alone. `overrides` are environment variables of every service."""
        self._of_all = overrides or {}
        self.settings = StackSettings(
            folder=folder, port_base=port_base, stack="native", stack_secure=is_secure, kafka_detour=True
        )
        self.faults = self.settings.folder / "faults"
        self.stack = Stack(self.settings, overrides={service: self._overrides(service) for service in SERVICES})
        self.supervisor = self.stack.supervisor
        self._numbers = count()
        self._numbering = threading.Lock()

    @property
    def environment(self) -> dict[str, str]:
        """What `python -m demo` and its like need to know to use this installation."""
        return {
            **os.environ,
            "WEIR_FOLDER": str(self.settings.folder),
            "WEIR_PORT_BASE": str(self.settings.port_base),
            "WEIR_STACK": "native",
            "WEIR_KAFKA_DETOUR": "true",
            "WEIR_STACK_SECURE": str(self.settings.is_secure).lower(),
        }

    def up(self) -> None:
        """Start what doesn't run yet, with faults to come: to be called again after something else used it."""
        self.faults.mkdir(parents=True, exist_ok=True)
        self.stack.up()
        self._let_us_in()

    def down(self) -> None:
        """Stop everything and remove what it left."""
        self.stack.down(forget=True)

    @property
    def otlp_port(self) -> int:
        """Where services send their spans, whether anyone listens or not."""
        return self.settings.port_base + 60

    def url(self, service: str) -> str:
        return f"http://{self.settings.host}:{self.settings.service_port(service)}"

    def operate(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """A command of `bin/weir`: its exit status, and what it says for programs."""
        ended = subprocess.run(
            [sys.executable, "-m", "operate", *words, "--json"],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]

    def metric(self, url: str, name: str) -> float:
        """The sum of a process' metric over its labels."""
        lines = prometheus.read(self.settings, url).splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def is_ready(self, *names: str) -> bool:
        return all(services.is_ready(f"{self.url(name)}/ready") for name in names or SERVICES)

    def wait_ready(self, *names: str) -> None:
        wait_until(lambda: self.is_ready(*names), seconds_max=RESTART_SECONDS_MAX, every_seconds=LOOK_SECONDS)

    # Harm

    def arm(self, service: str, point: str, *, then: str = "SIGKILL") -> Path:
        """Have a service die, or get another signal, the next time it reaches a point; returns what is gone then."""
        path = self.faults / f"{service}.{point}"
        draft = path.with_suffix(".draft")
        draft.write_text(then)
        return draft.replace(path)

    def die_at(self, service: str, point: str) -> None:
        """Return when a service has died at a point, by our hand, and is back at work."""
        pid = self.pid_of(service)
        armed = self.arm(service, point)
        wait_until(lambda: not armed.exists(), seconds_max=RESTART_SECONDS_MAX, every_seconds=LOOK_SECONDS)
        self._wait_for_another(service, pid)
        self.wait_ready(service)

    def kill(self, name: str) -> None:
        """SIGKILL a program and all its children; return when the supervisor has started it again."""
        pid = self.pid_of(name)
        _kill(family(pid))
        self._wait_for_another(name, pid)

    def restart(self, name: str) -> None:
        """Ask a supervised program to stop, see that it stops well, and start it again; return when it can be used."""
        self.supervisor.stop(name)
        status = self.supervisor.exit_status(name)
        assert status == 0, f"{name} ended with {status}"
        self.supervisor.start(name)
        self.supervisor.wait_ready(name)

    @contextmanager
    def away(self, name: str) -> Iterator[None]:
        """A program is killed, and kept from coming back for as long as the block lasts."""
        pid = self.pid_of(name)
        # Frozen first: so it never hears the polite request that keeps the supervisor from starting it again.
        os.kill(pid, signal.SIGSTOP)
        stopping = threading.Thread(target=self.supervisor.stop, args=(name,))
        stopping.start()
        wait_until(lambda: self.supervisor.state(name) == "STOPPING")
        _kill(family(pid))
        stopping.join()
        try:
            yield
        finally:
            self.supervisor.start(name)
            self.supervisor.wait_ready(name)

    @contextmanager
    def another(self, service: str, *roles: str) -> Iterator["Another"]:
        """One more process of a service, with some of its roles."""
        process = self.one_more(service, *roles)
        try:
            process.wait_ready()
            yield process
        finally:
            process.end()

    def one_more(
        self, service: str, *roles: str, overrides: Mapping[str, str] | None = None, directory: Path = REPOSITORY
    ) -> "Another":
        """The same, just started; whoever asks for it ends it. `directory` holds the code that it runs."""
        with self._numbering:
            number = next(self._numbers)
        port = self.settings.port_base + PORTS_OF_OTHERS + number % PORTS_OF_OTHERS_MAX
        name = f"{service}-{number + 2}"
        return Another(self, service, roles or ROLES, name=name, port=port, overrides=overrides, directory=directory)

    @contextmanager
    def instead(
        self,
        service: str,
        *shares: Sequence[str],
        overrides: Mapping[str, str] | None = None,
        directory: Path = REPOSITORY,
    ) -> Iterator[list["Another"]]:
        """Other processes do a service's work while the block lasts: one with all roles, or one for each share.

        Whoever asks for them may kill some of them and start others: the list is to tell which there are.
        """
        address = {"WEIR_HTTP_PORT": str(self.settings.service_port(service))}
        others: list[Another] = []
        # Whatever fails on the way out, the service is back at work for what comes next.
        with ExitStack() as ending:
            ending.callback(self._start_again, service)
            ending.callback(end_all, others)
            self.supervisor.stop(service)
            for roles in shares or (ROLES,):
                # Who takes requests does it where clients know the service to be.
                own = {**(overrides or {}), **(address if "api" in roles else {})}
                others.append(self.one_more(service, *roles, overrides=own, directory=directory))
            for other in others:
                other.wait_ready()
            yield others

    def _start_again(self, service: str) -> None:
        self.supervisor.start(service)
        self.wait_ready(service)

    def pid_of(self, name: str) -> int:
        """Its process id, as soon as it has one: a program that has just died has none until it is started again."""
        pids: list[int] = []

        def has_one() -> bool:
            pids[:] = [self.supervisor.pid(name)]
            return pids != [0]

        wait_until(has_one, seconds_max=RESTART_SECONDS_MAX, every_seconds=LOOK_SECONDS)
        return pids[0]

    def _wait_for_another(self, name: str, pid: int) -> None:
        wait_until(
            lambda: self.supervisor.pid(name) not in (0, pid),
            seconds_max=RESTART_SECONDS_MAX,
            every_seconds=LOOK_SECONDS,
        )

    # Taking stock

    def rows(self, service: str, query: str, values: Sequence[object] | None = None) -> list[tuple]:  # type: ignore[type-arg]
        with psycopg.connect(postgres.dsn(self.settings.database_url(service))) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def come_to_rest(self) -> None:
        """Wait until every payment has ended and all that follows is done. Then all of it must hold."""
        self.wait_ready()
        self.wait_for_ends()
        faults: list[str] = []

        def is_well() -> bool:
            faults[:] = self.faults_found()
            return not faults

        try:
            wait_until(is_well, seconds_max=REST_SECONDS_MAX / 3, every_seconds=LOOK_SECONDS)
        except AssertionError:
            raise AssertionError("; ".join(faults)) from None

    def wait_for_ends(self) -> None:
        """Have analysts decide what is held up, and wait until no payment is under way."""
        with Analysts(self.settings).at_work():
            wait_until(lambda: not self._open_payments(), seconds_max=REST_SECONDS_MAX, every_seconds=LOOK_SECONDS)

    def faults_found(self) -> list[str]:
        """What doesn't hold of: every payment ends once, nothing is lost, nothing waits, the books balance."""
        recorded = list(topics.read(self.settings.messaging(), list(catalogue.topics()), with_values=False))
        databases = {service: self.settings.database_url(service) for service in SERVICES}
        findings = nothing_lost.compare(recorded, databases)
        books = in_the_clear.get(f"{self.url('accounts')}/v1/books", headers=self.authorization, timeout=30).json()
        faults = [f"{finding.what}: {finding.detail}" for finding in findings if not finding.holds]
        if not books["is_balanced"] or books["open_holds"]:
            faults.append(f"the books: {books}")
        return faults + [f"{service} has dead letters" for service in SERVICES if self._dead_letters(service)]

    def require_sound_ledger(self) -> None:
        """As an operator has it checked: every balance and every hash, computed anew from the entries."""
        self._require_sound(*_OF_LEDGER)

    def require_sound_records(self) -> None:
        """The same, and compliance's audit log."""
        self._require_sound(*_OF_LEDGER, _OF_AUDIT_LOG)

    def _require_sound(self, *checks: tuple[str, str]) -> None:
        """Have services check what they keep, side by side, each by a command of its own."""
        running = {
            word: subprocess.Popen(
                [sys.executable, "-m", f"services.{service}", word],
                env={**os.environ, **services.environment(self.settings, service)},
                cwd=REPOSITORY,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for service, word in checks
        }
        for word, process in running.items():
            output, _ = process.communicate(timeout=REST_SECONDS_MAX)
            assert process.returncode == 0, f"{word}: {output}"

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.secrets.get('api-key/demo')}"}

    def _let_us_in(self) -> None:
        """As the demo does; unless it has, for it takes a process for each service."""
        if in_the_clear.get(f"{self.url('payments')}/v1/payments", headers=self.authorization).status_code == 401:
            client.register_client(self.settings)
            desk.seed_users(self.settings)

    def _dead_letters(self, service: str) -> int:
        ((count,),) = self.rows(service, "SELECT count(*) FROM dead_letters")
        return int(count)

    def _open_payments(self) -> int:
        ((count,),) = self.rows("payments", "SELECT count(*) FROM payments WHERE check_at IS NOT NULL")
        return int(count)

    def _overrides(self, service: str) -> dict[str, str]:
        return {
            "WEIR_FAULT_POINTS": str(self.faults / service),
            "WEIR_KEYS_CACHE_SECONDS": "1",
            "WEIR_CONSUMER_SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS),
            "WEIR_OTLP_ENDPOINT": f"http://{self.settings.host}:{self.otlp_port}/v1/traces",
            **(_OF_PAYMENTS if service == "payments" else {}),
            **self._of_all,
        }

    def environment_of(
        self, service: str, *, name: str, port: int, overrides: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """What one more process of a service needs to know."""
        return {
            **os.environ,
            **services.environment(self.settings, service),
            **self._overrides(service),
            "WEIR_FAULT_POINTS": str(self.faults / name),
            "WEIR_HTTP_PORT": str(port),
            **(overrides or {}),
        }


class Another:
    """A process of a service besides the supervised one."""

    def __init__(
        self,
        installation: Installation,
        service: str,
        roles: Sequence[str],
        *,
        name: str,
        port: int,
        overrides: Mapping[str, str] | None = None,
        directory: Path = REPOSITORY,
    ) -> None:
        self.name = name
        self.service = service
        self.roles = roles
        self._was_ended = False
        environment = installation.environment_of(service, name=name, port=port, overrides=overrides)
        self.url = f"http://{installation.settings.host}:{environment['WEIR_HTTP_PORT']}"
        self._log = installation.settings.folder / "logs" / f"{name}.log"
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"services.{service}", *roles],
                env=environment,
                cwd=directory,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def is_frozen(self) -> bool:
        """Whether it stands still by a signal."""
        return _state(self.process.pid) == "T"

    def wait_ready(self) -> None:
        wait_until(
            lambda: services.is_ready(f"{self.url}/ready"), seconds_max=RESTART_SECONDS_MAX, every_seconds=LOOK_SECONDS
        )

    def kill(self) -> None:
        """As a power cut would."""
        self._was_ended = True
        self.process.kill()
        self.process.wait()

    def go_on(self) -> None:
        """After it stood still."""
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Ask it to stop, as a restart does, and see that it stops well; unless we have ended it before.

        Raises AssertionError if it died by itself or doesn't stop well. It is gone in any case.
        """
        if self._was_ended:
            return
        self._was_ended = True
        assert self.process.poll() is None, f"{self.name} died by itself: {self.log[-4_000:]}"
        self.go_on()
        self.process.terminate()
        try:
            status = self.process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop in {END_SECONDS_MAX} s: {self.log[-4_000:]}") from None
        assert status == 0, self.log[-4_000:]
        # Said when every role has finished what it had begun, not when HTTP has.
        assert '"event": "stopped"' in self.log


def end_all(others: Sequence[Another]) -> None:
    """End each of them, also where one doesn't end well. Raises AssertionError for such a one."""
    with ExitStack() as ending:
        for other in others:
            ending.callback(other.end)


def wait_seconds(seconds: float) -> None:
    """Let an outage last so long: what it has to outlast are the time-outs of clients."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > until, seconds_max=seconds + 5, every_seconds=LOOK_SECONDS)


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children: list[str] = []
    # It may have died by itself meanwhile.
    with suppress(FileNotFoundError, ProcessLookupError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
