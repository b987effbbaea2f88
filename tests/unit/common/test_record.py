"""Records: values that never change."""

import pytest

from libs.common.record import Record, replace


class Point(Record):
    x: int
    y: int = 0


def test_a_record_is_built_by_names_and_never_changes() -> None:
    point = Point(x=1)
    with pytest.raises(AttributeError):
        point.x = 2
    with pytest.raises(TypeError):
        Point(1)  # type: ignore[call-arg]
    assert point == Point(x=1, y=0) and hash(point) == hash(Point(x=1))


def test_replacing_leaves_the_first_as_it_was_and_knows_its_fields() -> None:
    point = Point(x=1)
    assert (replace(point, y=2), point) == (Point(x=1, y=2), Point(x=1))
    with pytest.raises(TypeError):
        replace(point, z=3)
