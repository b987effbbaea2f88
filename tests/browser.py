"""The browser that pages are tested in: the machine's own Chromium, else one that `python -m tests.browser` installs.

Debian's package where we are root, else Playwright's own; if neither can be had, a message says how to have one.
The headless shell comes first: the same engine without windows, which takes less than half of the CPU for our pages.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
DEBIAN = (("apt-get", "update", "-qq"), ("apt-get", "install", "-y", "-qq", "--no-install-recommends", NAMES[0]))
PLAYWRIGHT = ((sys.executable, "-m", "playwright", "install", "chromium"),)
INSTALL_SECONDS_MAX = 600
"""Of one command."""

Way = Sequence[Sequence[str]]
"""Commands that install a browser, one after the other."""


class BrowserMissing(Exception):
    """There is no Chromium here; the message says how to have one."""

    def __init__(self, tried: str = "") -> None:
        super().__init__(
            f"The desk is tested in a real browser, and there is no Chromium (Debian: apt-get install {NAMES[0]}; "
            "elsewhere: python -m playwright install chromium; or name one in WEIR_CHROMIUM)." + tried
        )


def find() -> str:
    """Where Chromium is; `WEIR_CHROMIUM` may name it. Raises BrowserMissing."""
    found = os.environ.get("WEIR_CHROMIUM") or next(filter(None, (*map(shutil.which, NAMES), _playwrights_own())), None)
    if found is None:
        raise BrowserMissing
    return found


def install(ways: Sequence[Way], look: Callable[[], str] = find) -> str:
    """The browser after the first of some ways that leads to one. Raises BrowserMissing, with what each way said."""
    tried = []
    for commands in ways:
        fault = _run(commands)
        try:
            return look()
        except BrowserMissing:
            tried.append(f"\n{' '.join(commands[-1])}: {fault or 'installed nothing that is found'}")
    raise BrowserMissing("".join(tried))


def ways() -> Iterator[Way]:
    """How a browser can be had here."""
    if os.geteuid() == 0 and shutil.which("apt-get") is not None:
        yield DEBIAN
    yield PLAYWRIGHT


def main() -> None:
    """Install Chromium if there is none; else say what to do."""
    try:
        find()
    except BrowserMissing:
        began = time.monotonic()
        print("installing Chromium, in which the pages are tested", flush=True)
        try:
            install(tuple(ways()))
        except BrowserMissing as missing:
            sys.exit(str(missing))
        print(f"installed in {time.monotonic() - began:.0f} s")


def _playwrights_own() -> str | None:
    """The newest that Playwright has installed."""
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    found = [path for path in folder.glob("chromium-*/chrome-*/chrome") if os.access(path, os.X_OK)]
    return str(max(found, key=lambda path: path.stat().st_mtime)) if found else None


def _run(commands: Way) -> str:
    """What went wrong; nothing if nothing did."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in commands:
        try:
            result = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if result.returncode != 0:
            return (result.stdout[-1_000:] + result.stderr[-1_000:]).strip() or f"ended with {result.returncode}"
    return ""


if __name__ == "__main__":
    main()
