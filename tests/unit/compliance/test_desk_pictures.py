"""The pictures in docs/desk.md: each is there, shown, and small enough for a slow line."""

import re

from docs.screenshots import BYTES_MAX, FOLDER, SHOTS

PAGE = FOLDER.with_suffix(".md")


def test_the_page_shows_every_picture_that_is_taken_and_no_other() -> None:
    shown = re.findall(r"desk/([\w-]+)\.png", PAGE.read_text())
    assert sorted(shown) == sorted(SHOTS) == sorted(path.stem for path in FOLDER.iterdir())


def test_no_picture_is_large_and_each_has_words_for_who_cannot_see_it() -> None:
    assert all(path.stat().st_size <= BYTES_MAX for path in FOLDER.iterdir())
    assert not re.findall(r"!\[\]|<img (?![^>]*alt=)", PAGE.read_text())
