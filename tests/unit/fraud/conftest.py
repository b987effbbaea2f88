"""Trees are grown by one thread here: of few payments, several spend their time waiting for one another."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    import lightgbm  # noqa: F401  (limits hold for what is loaded)

    with threadpool_limits(1):
        yield
