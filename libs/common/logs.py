"""Logs: one JSON object a line, with the ids that lead from one service to the next. No personal data."""

import logging
import sys
import threading
from typing import TextIO

import structlog
from structlog.contextvars import merge_contextvars
from structlog.typing import Processor

log = logging.getLogger(__name__)
QUIET = ("uvicorn.access", "httpx", "httpcore", "aiokafka", "faust", "mode")


def configure(service: str, level: str, *, to: TextIO | None = None) -> None:
    """Send every log record of this process as JSON to standard output, or wherever else."""
    shared: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        lambda _, __, fields: {"service": service, **fields},
    ]
    handler = logging.StreamHandler(to or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    threading.excepthook = _log_end_of_thread


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    """As Python has it printed, but as a record like any other: also of libraries' threads."""
    if ended.exc_value is None or isinstance(ended.exc_value, SystemExit):
        return
    name = ended.thread.name if ended.thread is not None else "unknown"
    log.error("a thread was ended by an exception", extra={"thread_name": name}, exc_info=ended.exc_value)
