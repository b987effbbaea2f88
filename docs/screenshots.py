"""`python -m docs.screenshots`: takes the pictures of docs/desk.md anew, of the real desk with fictional people."""

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from libs.common.record import Record
from services.compliance.__main__ import SERVICE
from tests.browser import find
from tests.integration.compliance.browsing import at_desk
from tests.integration.compliance.gallery import Scene, set_up
from tests.integration.compliance.reports import write_institution
from tests.integration.compliance.scene import add_people
from tests.parts import running_parts
from tests.serving import listening

FOLDER = Path(__file__).parent / "desk"
BYTES_MAX = 120_000
COLOURS = 192
"""Enough for a page, and half of the bytes."""
PHONE = {"viewport": {"width": 390, "height": 844}}
TALL = {"viewport": {"width": 1280, "height": 1000}}

Take = Callable[[Page], bytes]


def whole(page: Page) -> bytes:
    return page.screenshot()


def region(name: str) -> Take:
    """One part of a page."""
    return lambda page: page.get_by_role("region", name=name).screenshot()


class Shot(Record):
    """A picture: who looks, at what, on which screen, and how much of it is shown."""

    username: str | None
    """None for who has not signed in."""
    path: str
    """With names of what is in the scene."""
    screen: Mapping[str, Any] = {}
    take: Take = whole


CASE = "/desk/cases/{case_id}"
SHOTS: Mapping[str, Shot] = {
    "sign-in": Shot(username=None, path="/desk/sign-in"),
    "queue": Shot(username="analyst", path="/desk"),
    "case": Shot(username="supervisor", path=CASE, screen=TALL),
    "history": Shot(username="analyst", path=CASE, take=region("90 days of history")),
    "network": Shot(username="analyst", path=CASE, take=region("Network of counterparties")),
    "linked": Shot(username="analyst", path=CASE, take=region("Linked payments")),
    "travel-rule": Shot(username="analyst", path="/desk/cases/{travel_case_id}", take=region("Travel rule")),
    "alert": Shot(
        username="analyst", path="/desk/cases/{monitored_case_id}", take=region("What monitoring has raised")
    ),
    "search": Shot(username="analyst", path="/desk/search?q=miller"),
    "customer": Shot(username="analyst", path="/desk/customers/{customer_id}"),
    "blocked": Shot(username="officer", path="/desk/blocked"),
    "alike": Shot(username="analyst", path="/desk/alike/{hostile_case_id}"),
    "rules": Shot(username="officer", path="/desk/scenarios"),
    "lists": Shot(username="administrator", path="/desk/lists"),
    "list-changes": Shot(username="administrator", path="/desk/lists/changes?before={before}&after={after}"),
    "whitelist": Shot(username="supervisor", path="/desk/whitelist?queue=proposed"),
    "silences": Shot(username="supervisor", path="/desk/silences"),
    "overview": Shot(username="supervisor", path="/desk/overview", screen=TALL),
    "audit": Shot(username="auditor", path="/desk/audit"),
    "people": Shot(username="administrator", path="/desk/users"),
    "filing": Shot(username="officer", path="/desk/filings/{filing_id}"),
    "dark": Shot(username="officer", path="/desk/cases/{monitored_case_id}", screen={"color_scheme": "dark"}),
    "phone": Shot(username="analyst", path="/desk", screen=PHONE),
}


def main() -> None:
    """Take every picture. Raises ValueError for one that is too large to be read over a slow line."""
    FOLDER.mkdir(exist_ok=True)
    with desk() as (browser, address, scene):
        of_scene = {name: getattr(scene, name) for name in scene.__struct_fields__}
        for name, shot in SHOTS.items():
            with at_desk(browser, address, shot.username, **shot.screen) as person:
                person.page.goto(shot.path.format(**of_scene))
                _save(name, shot.take(person.page))


@contextmanager
def desk() -> Iterator[tuple[Browser, str, Scene]]:
    """A desk on real parts with something on every page, and a browser to look at it."""
    with ExitStack() as stack:
        parts = stack.enter_context(running_parts())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        runtime = stack.enter_context(parts.runtime(SERVICE, institution_file=write_institution(folder)))
        add_people(runtime)
        scene = set_up(runtime, payer="Clara Voss")
        address = stack.enter_context(listening(runtime))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox"])
        stack.callback(browser.close)
        yield browser, address, scene


def _save(name: str, picture: bytes) -> None:
    small = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, kmeans=1).save(small, "PNG", optimize=True)
    if len(small.getvalue()) > BYTES_MAX:
        raise ValueError(f"{name} has {len(small.getvalue())} bytes, more than {BYTES_MAX}")
    (FOLDER / f"{name}.png").write_bytes(small.getvalue())


if __name__ == "__main__":
    main()
