"""A model tried in a process of its own before it is kept: trees that are cut off abort whoever reads them.

`python -m services.fraud.trial` reads a model from its input, and says what is wrong with it if something is.
"""

import math
import subprocess
import sys

SECONDS_MAX = 60
_UNUSABLE = 3
_UNREADABLE = "the model's trees can't be read: they are cut off, or none of LightGBM's"


def try_model(packed: bytes) -> str | None:
    """Why a model can't be used; None if it can. Takes a second or two."""
    command = [sys.executable, "-m", __name__]
    try:
        ended = subprocess.run(command, input=packed, capture_output=True, timeout=SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        return "to read the model takes too long"
    if ended.returncode == _UNUSABLE:
        return ended.stdout.decode(errors="replace").strip().splitlines()[-1]
    return None if ended.returncode == 0 else _UNREADABLE


def main() -> None:
    """Read a model and have it score a payment of which nothing is known."""
    # LightGBM imports what it finds of these; they take most of the time, and nothing here needs them.
    sys.modules.update(dict.fromkeys(("sklearn", "pandas", "matplotlib", "dask", "pyarrow")))  # type: ignore[arg-type]
    from services.fraud.domain.model import Model, ModelFault

    try:
        model = Model(sys.stdin.buffer.read())
        score = model.score([None] * len(model.fields))
        fault = None if math.isfinite(score) else "the model's score is no number"
    except ModelFault as error:
        fault = str(error)
    except (TypeError, ValueError):
        fault = "the model's trees give more than one score: their objective must be binary"
    if fault is not None:
        print(fault)
        sys.exit(_UNUSABLE)


if __name__ == "__main__":
    main()
