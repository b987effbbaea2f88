"""Whatever a client does and whenever, it gets no more than its burst and what has trickled in since."""

from hypothesis import given
from hypothesis import strategies as st

from libs.common.rate_limit import Bucket, Rate, RateLimiter

RATE = Rate(per_second=10.0, burst=20)

_rates = st.builds(Rate, per_second=st.floats(0.1, 1_000), burst=st.integers(1, 1_000))
_pauses = st.lists(st.tuples(st.floats(0, 10), st.integers(1, 50)), min_size=1, max_size=60)


@given(_rates, _pauses)
def test_what_passes_in_any_time_is_bounded_by_burst_and_rate(rate: Rate, asked: list[tuple[float, int]]) -> None:
    bucket, now = Bucket(rate, 0.0), 0.0
    passed: list[tuple[float, int]] = []
    for pause, cost in asked:
        now += pause
        if bucket.take(cost, now).is_passed:
            passed.append((now, cost))
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            seconds = passed[last][0] - passed[first][0]
            # The last one may go into debt: all that passed before it had to be there.
            before = sum(cost for _, cost in passed[first:last])
            assert before + 1 <= rate.burst + rate.per_second * seconds + 1e-3


@given(_rates, _pauses)
def test_whoever_waits_as_long_as_it_is_told_passes(rate: Rate, asked: list[tuple[float, int]]) -> None:
    bucket, now = Bucket(rate, 0.0), 0.0
    for pause, cost in asked:
        now += pause
        limit = bucket.take(cost, now)
        if not limit.is_passed:
            now += limit.wait_seconds + 1e-6
            assert bucket.take(cost, now).is_passed


@given(_rates, _pauses)
def test_who_asks_below_the_rate_is_never_refused(rate: Rate, asked: list[tuple[float, int]]) -> None:
    bucket, now = Bucket(rate, 0.0), 0.0
    for pause, _ in asked:
        now += pause + 1 / rate.per_second + 1e-9
        assert bucket.take(1, now).is_passed


def test_what_is_refused_takes_nothing_and_a_clock_set_back_gives_nothing() -> None:
    bucket = Bucket(RATE, 100.0)
    assert bucket.take(20, 100.0).is_passed
    assert not any(bucket.take(1, 100.0).is_passed for _ in range(50))
    assert not bucket.take(1, 0.0).is_passed
    assert bucket.take(1, 100.1).is_passed


def test_a_chunk_larger_than_the_burst_passes_and_is_paid_off() -> None:
    bucket = Bucket(RATE, 0.0)
    limit = bucket.take(120, 0.0)
    assert limit.is_passed
    assert limit.remaining == 0
    assert limit.wait_seconds == 10.1
    assert not bucket.take(1, 10.0).is_passed
    assert bucket.take(1, 10.2).is_passed


def test_headers_say_how_things_stand() -> None:
    limit = Bucket(RATE, 0.0).take(1, 0.0)
    assert limit.headers == (("RateLimit-Policy", '"requests";q=20;w=2'), ("RateLimit", '"requests";r=19;t=0'))


def test_every_client_has_a_bucket_of_its_own_and_a_new_rate_counts_at_once() -> None:
    limiter = RateLimiter(RATE, clock=lambda: 0.0)
    assert limiter.take("shop", None, 20).is_passed
    assert not limiter.take("shop", None).is_passed
    assert limiter.take("rival", None).is_passed
    assert limiter.take("shop", Rate(per_second=1.0, burst=1)).is_passed


def test_what_is_given_back_is_there_again_and_no_more_than_the_burst() -> None:
    bucket = Bucket(RATE, 0.0)
    assert bucket.take(20, 0.0).is_passed
    bucket.give_back(1)
    assert bucket.take(1, 0.0).is_passed
    assert not bucket.take(1, 0.0).is_passed
    bucket.give_back(1_000)
    assert bucket.take(0, 0.0).remaining == RATE.burst
