"""The consumer's rest between batches."""

import pytest

from libs.common.consumer import rest_until


@pytest.mark.parametrize(("took", "until"), [(0.001, 0.02), (0.05, 0.1), (30.0, 30.1)])
def test_a_busy_worker_rests_as_long_as_it_worked_but_never_long(took: float, until: float) -> None:
    assert rest_until(7.0, 7.0 + took, 0.02) == pytest.approx(7.0 + until)
