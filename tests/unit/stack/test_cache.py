"""What is fetched once: whole or not at all."""

from pathlib import Path
from threading import Event, Thread

import pytest

from stack.cache import fetch_once, locked


def test_a_folder_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    fetch_once(tmp_path / "part", lambda _: pytest.fail("fetched again"))


def test_a_fetch_that_breaks_off_leaves_nothing_that_could_be_taken_for_the_part(tmp_path: Path) -> None:
    def break_off(draft: Path) -> None:
        (draft / "half.jar").write_text("ha")
        raise ConnectionError("gone")

    def bring(draft: Path) -> None:
        (draft / "whole.jar").write_text("whole")

    with pytest.raises(ConnectionError):
        fetch_once(tmp_path / "part", break_off)
    assert not (tmp_path / "part").exists()
    fetch_once(tmp_path / "part", bring)
    assert [path.name for path in (tmp_path / "part").iterdir()] == ["whole.jar"]


def test_two_that_want_the_same_part_fetch_it_once(tmp_path: Path) -> None:
    fetches, may_go_on, has_begun = [], Event(), Event()

    def bring(draft: Path) -> None:
        fetches.append(draft)
        has_begun.set()
        assert may_go_on.wait(10)

    threads = [Thread(target=fetch_once, args=(tmp_path / "part", bring)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert has_begun.wait(10)
    may_go_on.set()
    for thread in threads:
        thread.join(10)
    assert len(fetches) == 1


def test_a_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), locked(tmp_path / "lock"):
        raise ValueError("inside")
    with locked(tmp_path / "lock"):
        pass
