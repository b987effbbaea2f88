"""Named points at which a test can have this process killed, as a power cut would.

With `WEIR_FAULT_POINTS=/folder/payments` set, a process that reaches `relay.after_ack` looks for the
file `/folder/payments.relay.after_ack`; if it is there it removes it and dies by SIGKILL. Unset, as
it is in production, a point costs one comparison.
"""

import os
import signal
from pathlib import Path

_PREFIX = os.environ.get("WEIR_FAULT_POINTS")


def reach(point: str) -> None:
    """Die here if that is asked for."""
    if _PREFIX is None:
        return
    try:
        Path(f"{_PREFIX}.{point}").unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
