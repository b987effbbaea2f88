"""A model tried in a process of its own before it is kept: trees that are cut off abort whoever reads them.

`python -m services.fraud.trial` reads a model from its input, and says what is wrong with it if something is.
"""

import math
import subprocess
import sys

from services.fraud.domain.model import Model, ModelFault

SECONDS_MAX = 60
_UNUSABLE = 3


def try_model(packed: bytes) -> str | None:
    """Why a model can't be used; None if it can."""
    try:
        # In a thread of whoever asks: nothing but this waits for it.
        ended = subprocess.run(
            [sys.executable, "-m", __name__], input=packed, capture_output=True, timeout=SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired:
        return "to read the model takes too long"
    if ended.returncode == _UNUSABLE:
        return ended.stdout.decode(errors="replace").strip().splitlines()[-1]
    return None if ended.returncode == 0 else "the model's trees can't be read: they are cut off, or none of LightGBM's"


def main() -> None:
    """Read a model and have it score a payment of which nothing is known."""
    try:
        model = Model(sys.stdin.buffer.read())
        _require_score(model)
    except ModelFault as fault:
        print(fault)
        sys.exit(_UNUSABLE)


def _require_score(model: Model) -> None:
    try:
        score = model.score([None] * len(model.fields))
    except (TypeError, ValueError) as error:
        raise ModelFault("the model's trees give more than one score: they must be of the objective binary") from error
    if not math.isfinite(score):
        raise ModelFault("the model's score is no number")


if __name__ == "__main__":
    main()
