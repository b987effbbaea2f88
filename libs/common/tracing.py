"""The thread through a journey: W3C trace context, taken from the request or begun at the edge."""

import re
import secrets

from libs.common import ids
from libs.common.message import Trace

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def begin(*, traceparent: str | None = None, correlation_id: str | None = None) -> Trace:
    """The caller's trace if it sent a valid one, else a new one."""
    if traceparent is None or not _TRACEPARENT.fullmatch(traceparent):
        traceparent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return Trace(correlation_id=correlation_id or ids.new(), traceparent=traceparent)
