"""The features worker as a process: Faust on the main thread, its health and its watchdog on others."""

import asyncio
import logging
import threading

import faust
import uvicorn

from libs.common import logs
from libs.common.errors import Outage
from libs.common.service import Runtime, server_config
from services.fraud.features import app as application
from services.fraud.features import watchdog
from services.fraud.features.log import Continuity, LabelLog
from services.fraud.features.metrics import FeaturesMetrics
from services.fraud.features.watchdog import Pulse, Watchdog
from services.fraud.settings import FraudSettings

START_RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


def run(runtime: Runtime) -> None:
    """Count labels until asked to stop (SIGTERM). Ends the process, with status 0 only if that was asked for."""
    settings = runtime.settings
    assert isinstance(settings, FraudSettings)
    logs.configure("fraud-features", settings.log_level)
    pulse, metrics = Pulse(), FeaturesMetrics(runtime.metrics)
    _serve_operations(runtime, pulse)
    _prepare(runtime)
    group = application.group_of(settings.features_generation)
    continuity = Continuity(LabelLog(settings, group=group))
    app = application.create(runtime, continuity, pulse, metrics)
    assert app.conf.id == group
    guard = Watchdog(
        pulse,
        watchdog.measure(pulse, continuity, LabelLog(settings, group=group)),
        metrics,
        stall_seconds=settings.features_stall_seconds,
        give_up=watchdog.end_process,
    )
    watchdog.watch(guard, runtime.stop)
    worker = faust.Worker(app, override_logging=False, redirect_stdouts=False, quiet=True, loop=_new_loop())
    worker.spinner = None
    try:
        worker.execute_from_commandline()
    finally:
        runtime.stop.set()


def _prepare(runtime: Runtime) -> None:
    """Learn the ids of our schemas before the first label; waits while the registry is away."""
    while not runtime.stop.is_set():
        try:
            runtime.codec.prepare(runtime.handlers.writes)
        except Outage as outage:
            log.warning("waiting for the registry", extra={"error": str(outage)})
            runtime.stop.wait(START_RETRY_SECONDS)
        else:
            return


def _serve_operations(runtime: Runtime, pulse: Pulse) -> None:
    """`/health`, `/ready` and `/metrics`, from a thread that goes on answering whatever the worker does."""
    config = server_config(runtime.app((), lambda: {"features": pulse.is_ready}), runtime.settings)
    threading.Thread(target=uvicorn.Server(config).run, name="operations", daemon=True).start()


def _new_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop
