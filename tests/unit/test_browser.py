"""The browser that pages are tested in: found where it may be, and installed in one way after the other."""

from pathlib import Path

import pytest

from tests.browser import BrowserMissing, find, install


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any browser."""
    monkeypatch.delenv("WEIR_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    return tmp_path


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return path


def test_the_machines_own_comes_before_playwrights(nowhere: Path) -> None:
    own = executable(nowhere / "playwright" / "chromium-1187" / "chrome-linux" / "chrome")
    assert find() == str(own)
    chromium = executable(nowhere / "chromium")
    assert find() == str(chromium)
    shell = executable(nowhere / "chromium-headless-shell")
    assert find() == str(shell)


def test_where_there_is_none_the_message_says_how_to_have_one(nowhere: Path) -> None:
    with pytest.raises(BrowserMissing, match=r"apt-get install chromium-headless-shell.*playwright install chromium"):
        find()


def test_what_one_way_does_not_lead_to_the_next_one_does(nowhere: Path) -> None:
    chrome = nowhere / "chromium"
    fails = (("/bin/sh", "-c", "echo no network >&2; exit 7"),)
    works = (("/bin/sh", "-c", "true"), ("/bin/sh", "-c", f": > {chrome}; /bin/chmod 755 {chrome}"))
    assert install((fails, works)) == str(chrome)


def test_where_no_way_leads_to_one_each_says_why(nowhere: Path) -> None:
    ways = ((("/bin/sh", "-c", "echo no network >&2; exit 7"),), (("/nowhere/playwright", "install"),))
    with pytest.raises(BrowserMissing) as missing:
        install((*ways, (("/bin/sh", "-c", "true"),)))
    for why in ("no network", "No such file", "installed nothing that is found"):
        assert why in str(missing.value)
