"""The two analysts of the demo: let in at the desk with passwords made up once per installation."""

import os
import subprocess
import sys

from demo.analysts import CONFIRMER, PROPOSER
from stack import services
from stack.settings import REPOSITORY, StackSettings


def seed_users(settings: StackSettings) -> None:
    """Let both in, or give them their passwords again. Raises RuntimeError with what compliance said."""
    passwords = {
        f"WEIR_DESK_PASSWORD_{name.upper()}": settings.secrets.get(f"desk/{name}") for name in (PROPOSER, CONFIRMER)
    }
    result = subprocess.run(
        [sys.executable, "-m", "services.compliance", "seed-users"],
        env={**os.environ, **services.environment(settings, "compliance"), **passwords},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        raise RuntimeError(f"the analysts could not be let in:\n{result.stdout}{result.stderr}")
