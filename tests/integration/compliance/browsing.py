"""A person at the desk in a real browser, and what the browser complained about."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from tests.integration.compliance.scene import PASSWORD


class Desk:
    """A person at the desk."""

    def __init__(self, browser: Browser, address: str, username: str, **options: Any) -> None:
        options = {"viewport": {"width": 1280, "height": 720}, **options}
        self.context: BrowserContext = browser.new_context(base_url=address, **options)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.username = username

    def _hear(self, line: ConsoleMessage) -> None:
        if line.type == "error":
            self.complaints.append(line.text)

    def sign_in(self, password: str = PASSWORD) -> None:
        if "/desk/sign-in" not in self.page.url:
            self.page.goto("/desk")
        self.page.get_by_label("User name").fill(self.username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def open(self, case_id: str) -> None:
        self.page.goto(f"/desk/cases/{case_id}")


class Shots:
    """Pictures of pages, for people to look at: `WEIR_SCREENSHOTS` names a folder for them, else none are taken."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def take(self, page: Page, name: str, *, is_whole: bool = True) -> None:
        """The whole page, or what the screen shows of it. Not for nothing: it is what a browser takes longest for."""
        if self._folder is not None:
            page.screenshot(path=self._folder / f"{name}.png", full_page=is_whole)


@contextmanager
def at_desk(browser: Browser, address: str, username: str | None, **options: Any) -> Iterator[Desk]:
    """A person who has signed in, or nobody if no name is given, for as long as the block lasts."""
    desk = Desk(browser, address, username or "", **options)
    if username is not None:
        desk.sign_in()
    yield desk
    desk.context.close()
