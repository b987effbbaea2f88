"""A leak is found, however noisy; noise, steps of caches and new lives are no leak."""

import random

import pytest

from soak.verdict import Bound, Sample, trend

MEGABYTES = Bound(per_hour=24, floor=16)
EVERY, MINUTES, WARM_UP = 10, 30, 180


def series(
    *, per_hour: float = 0, noise: float = 3, seed: int = 1, lives: int = 1, minutes: float = MINUTES
) -> list[Sample]:
    """Megabytes of a process that gains so many an hour; each life begins anew."""
    chance = random.Random(seed)
    seconds = minutes * 60
    found = []
    for at in range(0, int(seconds), EVERY):
        life = int(at / seconds * lives)
        age = at - life * seconds / lives
        value = 150 + per_hour * age / 3600 + chance.gauss(0, noise)
        found.append(Sample(at_seconds=at, value=value, life=str(life)))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_flat(seed: int) -> None:
    found = trend(series(noise=10, seed=seed), MEGABYTES, warm_up_seconds=WARM_UP)
    assert found is not None and found.is_flat


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_is_found_under_noise(seed: int) -> None:
    found = trend(series(per_hour=120, noise=10, seed=seed), MEGABYTES, warm_up_seconds=WARM_UP)
    assert found is not None and not found.is_flat
    assert found.per_hour == pytest.approx(120, abs=40)


@pytest.mark.parametrize("seed", range(5))
def test_a_leak_is_found_across_restarts(seed: int) -> None:
    """Each life loses what the one before it had gained: between lives there is no slope to see."""
    leaking = series(per_hour=300, noise=3, seed=seed, lives=3)
    found = trend(leaking, MEGABYTES, warm_up_seconds=60)
    assert found is not None and not found.is_flat
    as_one = trend([Sample(at_seconds=s.at_seconds, value=s.value) for s in leaking], MEGABYTES, warm_up_seconds=60)
    assert as_one is not None and as_one.is_flat


def test_what_a_process_takes_while_it_warms_up_is_no_leak() -> None:
    warming = [
        Sample(at_seconds=s.at_seconds, value=s.value - 100 * max(0.0, 1 - s.at_seconds / WARM_UP)) for s in series()
    ]
    found = trend(warming, MEGABYTES, warm_up_seconds=WARM_UP)
    assert found is not None and found.is_flat


def test_some_outliers_are_no_leak() -> None:
    samples = series()
    tail = [Sample(at_seconds=s.at_seconds, value=s.value + 500) for s in samples[-15:]]
    as_it_was = [Sample(at_seconds=s.at_seconds, value=s.value) for s in samples[:-15]]
    found = trend([*as_it_was, *tail], MEGABYTES, warm_up_seconds=WARM_UP)
    assert found is not None and found.is_flat


def test_one_handle_more_now_and_then_is_found() -> None:
    handles = Bound(per_hour=0, floor=4)
    leaking = [Sample(at_seconds=at, value=30 + at // 120) for at in range(0, 1800, EVERY)]
    found = trend(leaking, handles, warm_up_seconds=WARM_UP)
    assert found is not None and not found.is_flat


def test_a_share_of_what_is_usual_may_be_allowed() -> None:
    slow = Bound(per_hour=0, floor=10, share=0.5)
    growing = [Sample(at_seconds=at, value=1_000 + at * 0.1) for at in range(0, 1800, EVERY)]
    assert trend(growing, slow, warm_up_seconds=0) is not None
    found = trend(growing, slow, warm_up_seconds=0)
    assert found is not None and found.is_flat
    tripled = [Sample(at_seconds=at, value=1_000 + at * 1.5) for at in range(0, 1800, EVERY)]
    found = trend(tripled, slow, warm_up_seconds=0)
    assert found is not None and not found.is_flat


def test_of_too_little_nothing_is_said() -> None:
    assert trend(series(minutes=1), MEGABYTES, warm_up_seconds=50) is None
    assert trend([], MEGABYTES, warm_up_seconds=0) is None
    assert trend([Sample(at_seconds=1, value=1, life=str(n)) for n in range(9)], MEGABYTES, warm_up_seconds=0) is None
