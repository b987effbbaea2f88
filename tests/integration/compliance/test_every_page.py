"""Every page of the desk in a real browser, at a desk and on a phone, in light and dark: nothing in anybody's way."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from libs.common.service import Runtime
from services.compliance.desk import guard
from services.compliance.domain.people import Role
from tests.integration.compliance.browsing import Desk, Shots
from tests.integration.compliance.gallery import PAGES, Scene, Shown, set_up
from tests.unit.compliance.test_roles import routes

FAULTS = (Path(__file__).parent / "faults.js").read_text()
SCREENS = {"desk": {"width": 1280, "height": 720}, "phone": {"width": 390, "height": 844}}
SCHEMES = ("light", "dark")
NO_PAGES = {
    "/desk/static/{name}",
    "/desk/cases/{case_id}/files/{number}",
    "/desk/cases/{case_id}/export",
    "/desk/filings/{filing_id}/file",
    "/desk/whitelist/rule-changes/{change_id}/pairs",
    "/desk/sign-in/oidc",
    "/desk/sign-in/oidc/callback",
}
"""What is saved, or leads elsewhere."""
SIGN_IN = "/desk/sign-in"


@pytest.fixture(scope="module")
def scene(wired: Runtime, address: str) -> Scene:
    return set_up(wired)


@pytest.fixture(scope="module")
def desks(browser: Browser, address: str) -> Iterator[dict[Role, Desk]]:
    """Somebody of each role, who has signed in."""
    found = {}
    for role in Role:
        found[role] = Desk(browser, address, role.value)
        found[role].sign_in()
    yield found
    for desk in found.values():
        desk.context.close()


def look(page: Page, shots: Shots, name: str) -> list[str]:
    """What is wrong with a page, on every screen and in every scheme."""
    found = []
    page.evaluate("document.querySelectorAll('main details').forEach((one) => one.setAttribute('open', ''))")
    for kind, size in SCREENS.items():
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            shots.take(page, f"{name}-{kind}-{scheme}")
            found += [f"{name}, {kind}, {scheme}: {fault}" for fault in page.evaluate(FAULTS)]
    return found


def test_no_page_is_forgotten() -> None:
    pages = {
        route.path for route in routes() if isinstance(route, guard.PageRoute) and "GET" in (route.methods or set())
    }
    assert {page.route for page in PAGES} | {SIGN_IN} == pages - NO_PAGES


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
def test_a_page_is_in_nobodys_way(scene: Scene, desks: dict[Role, Desk], shown: Shown, shots: Shots) -> None:
    desk = desks[shown.role]
    answer = desk.page.goto(shown.address(scene))
    assert answer is not None
    assert answer.status == 200
    faults = look(desk.page, shots, shown.name)
    assert not faults, "\n".join(faults)
    assert desk.complaints == []


def test_who_has_not_signed_in_and_who_is_lost_are_in_nobodys_way_either(
    browser: Browser, address: str, desks: dict[Role, Desk], shots: Shots
) -> None:
    stranger = Desk(browser, address, "nobody")
    stranger.sign_in("wrong")
    faults = look(stranger.page, shots, "sign-in-refused")
    stranger.context.close()
    page = desks[Role.ANALYST].page
    for name, path in (("unknown", "/desk/cases/0"), ("forbidden", "/desk/users")):
        page.goto(path)
        faults += look(page, shots, name)
    assert not faults, "\n".join(faults)
