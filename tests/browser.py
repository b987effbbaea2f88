"""The browser that the pages are tested in: the machine's own Chromium, installed by `python -m tests.browser`."""

import os
import shutil
import subprocess
import sys
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = (("apt-get", "update", "-qq"), ("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"))


class BrowserMissing(Exception):
    """There is no Chromium here; the message says how to have one."""

    def __init__(self) -> None:
        super().__init__(
            "The desk is tested in a real browser, and there is no Chromium (Debian: apt-get install chromium)."
        )


def find() -> str:
    """Where Chromium is; `WEIR_CHROMIUM` may name it. Raises BrowserMissing."""
    found = os.environ.get("WEIR_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise BrowserMissing
    return found


def main() -> None:
    """Install Chromium if there is none and we may; else say what to do."""
    try:
        find()
    except BrowserMissing as missing:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            sys.exit(str(missing))
        began = time.monotonic()
        print("installing Chromium, in which the pages are tested", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in INSTALL:
            result = subprocess.run(command, env=environment, capture_output=True, text=True)
            if result.returncode != 0:
                sys.exit(f"{missing}\n{result.stdout[-1_000:]}{result.stderr[-1_000:]}")
        print(f"installed in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
