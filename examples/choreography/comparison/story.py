"""What can be told about one order afterwards, from the store alone: `saga trace`, as its user sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from examples.terminal import width

__all__ = ["story_of"]


def story_of(store: Path, order_id: str) -> str:
    """Return what `saga trace` prints about an order. Raises CalledProcessError when it fails."""
    command = [sys.executable, "-m", "saga", "trace", order_id, "--store", str(store)]
    environment = {**os.environ, "COLUMNS": str(width()), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout.rstrip()
