"""Named points at which a test can have this process killed, as a power cut would, or stopped in its tracks.

With `WEIR_FAULT_POINTS=/folder/payments` set, a process that reaches `relay.after_ack` looks for the
file `/folder/payments.relay.after_ack`; if it is there it removes it and dies by SIGKILL, or by the
signal that the file names (`SIGSTOP`: it stands still until it is sent SIGCONT). Unset, as it is in
production, a point costs one comparison.
"""

import os
import signal
import threading
from pathlib import Path

_PREFIX = os.environ.get("WEIR_FAULT_POINTS")


def reach(point: str) -> None:
    """Die here if that is asked for."""
    if _PREFIX is None:
        return
    path = Path(f"{_PREFIX}.{point}")
    try:
        name = path.read_text()
        path.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.Signals[name or "SIGKILL"])


def reach_in_role(point: str) -> None:
    """The same for what several roles do: `consumer.before_commit` is the consumer's, `edge.before_commit` the API's.

    The threads of a process bear the names of its roles.
    """
    reach(f"{threading.current_thread().name}.{point}")
