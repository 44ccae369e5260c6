"""Workers that are there for all crash tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("reliability.crash.shop_invariants", "reliability.crash.trips_invariants")

from reliability.crash.harness import Workers  # noqa: E402 - its invariants are to be rewritten

if sys.platform == "win32":
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    with Workers() as workers:
        yield workers
