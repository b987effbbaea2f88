"""Two simulated analysts: they sign in at the desk as people do, look at the evidence, and decide.

One takes and proposes, the other confirms. Some cases are left alone, to see what a deadline does.
"""

import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from stack.settings import StackSettings

LEFT_ALONE_SHARE = 0.15
LOOK_SECONDS = 0.3
PAGE = 200
PROPOSER, CONFIRMER = "analyst1", "analyst2"

LIKENESS_REJECTED_PERCENT = 95
SUSPICION_REJECTED_PERCENT = 85


class Analysts:
    """Works off the desk's queue on a thread of its own."""

    def __init__(self, settings: StackSettings, *, look_seconds: float = LOOK_SECONDS) -> None:
        """`look_seconds`: between two looks at a queue that has nothing for them."""
        self._look_seconds = look_seconds
        self._desk = f"http://{settings.host}:{settings.service_port('compliance')}/desk"
        self._passwords = {name: settings.secrets.get(f"desk/{name}") for name in (PROPOSER, CONFIRMER)}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="analysts")
        self.decided: Counter[str] = Counter()
        self.left_alone: set[str] = set()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Decide what is held up, for as long as the block lasts."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()

    def _run(self) -> None:
        people: dict[str, httpx.Client] = {}
        while not self._stop.is_set():
            worked = 0
            try:
                people = people or self._sign_in()
                worked = self._propose(people[PROPOSER]) + self._confirm(people[CONFIRMER])
            except httpx.HTTPStatusError as error:
                # The desk has a database that is away, or one that no longer knows that they were signed in.
                if error.response.status_code == httpx.codes.UNAUTHORIZED:
                    assert people, "the analysts are not let in"
                    people = {}
            except httpx.HTTPError:
                # The desk is away: people would come back to it, too.
                pass
            if not worked:
                self._stop.wait(self._look_seconds)
        for person in people.values():
            person.close()

    def _sign_in(self) -> dict[str, httpx.Client]:
        return {name: _sign_in(self._desk, name, password) for name, password in self._passwords.items()}

    def _propose(self, person: httpx.Client) -> int:
        worked = 0
        for case in _cases(person, "open"):
            if case["case_id"] in self.left_alone:
                continue
            page = _page(person, case)
            if _share(case["case_id"]) < LEFT_ALONE_SHARE and may_be_left_alone(case, page):
                self.left_alone.add(case["case_id"])
            elif _act(person, case, "take"):
                decision, note = decide(case, page)
                case = {**case, "version": case["version"] + 1}
                worked += _act(person, case, "propose", decision=decision, note=note)
        return worked

    def _confirm(self, person: httpx.Client) -> int:
        worked = 0
        for case in _cases(person, "proposed"):
            if _act(person, case, "confirm", note="looked at it too"):
                self.decided[case["proposal"]["decision"]] += 1
                worked += 1
        return worked


def may_be_left_alone(case: dict[str, Any], page: dict[str, Any]) -> bool:
    """Whether a deadline ends the case: it never does while the money may belong to a listed party."""
    return bool(case["payment_id"]) and not _likeness(page)


def decide(case: dict[str, Any], page: dict[str, Any]) -> tuple[str, str]:
    """The rule that stands for a person's judgement: what the evidence shown says."""
    likeness = _likeness(page)
    suspicion = page["fraud_score_percent"] or 0
    if case["is_listed_party"]:
        return "block", "the money belongs to a listed party"
    if likeness >= LIKENESS_REJECTED_PERCENT:
        return "reject", f"resembles a listed name at {likeness} %"
    if suspicion >= SUSPICION_REJECTED_PERCENT:
        return "reject", f"suspicion of {suspicion} %"
    return "approve", f"no more than a resemblance of {likeness} % and a suspicion of {suspicion} %"


def _likeness(page: dict[str, Any]) -> int:
    """How much, in percent, a party resembles a listed one at most."""
    hits = [hit["score_percent"] for party in page["parties"] for hit in party["hits"]]
    return max((*hits, *(finding["score_percent"] for finding in page["compliance_findings"])), default=0)


def _sign_in(desk: str, username: str, password: str) -> httpx.Client:
    person = httpx.Client(base_url=desk, timeout=30)
    answer = person.post("/sign-in", json={"username": username, "password": password})
    answer.raise_for_status()
    person.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return person


def _cases(person: httpx.Client, queue: str) -> list[dict[str, Any]]:
    answer = person.get("/api/cases", params={"queue": queue, "limit": PAGE})
    answer.raise_for_status()
    return list(answer.json()["cases"])


def _page(person: httpx.Client, case: dict[str, Any]) -> dict[str, Any]:
    """What the case's page shows."""
    answer = person.get(f"/api/cases/{case['case_id']}")
    answer.raise_for_status()
    return dict(answer.json()["page"])


def _act(person: httpx.Client, case: dict[str, Any], verb: str, **body: Any) -> bool:
    """Whether it was done: another may have been quicker, or the case may have ended meanwhile."""
    answer = person.post(f"/api/cases/{case['case_id']}/{verb}", json={"version": case["version"], **body})
    return answer.is_success


def _share(case_id: str) -> float:
    return zlib.crc32(case_id.encode()) / 2**32
