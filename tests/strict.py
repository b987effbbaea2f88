"""A plugin for pytest: a test that was skipped, or expected to fail, has failed."""

from typing import Any

import pytest


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    unheard = [report for kind in ("skipped", "xfailed", "xpassed") for report in reporter.stats.get(kind, ())]
    if unheard and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"{len(unheard)} tests were skipped or expected to fail, which counts as failed", red=True)
