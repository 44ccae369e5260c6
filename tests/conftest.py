"""What holds for every test: it leaves no actor behind, and fails for no slow machine."""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest
from hypothesis import settings

# A deadline for one example measures the machine; the timeout of the whole test is enough. The rest of the
# profile that hypothesis chose stays as it is (in CI it draws the same examples each time).
settings.register_profile("saga", parent=settings(), deadline=None)
settings.load_profile("saga")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """After the fixtures of a test are done with, stop the actors that it left, and fail it for that.

    A module that was never imported has started nothing, so the tests of the pure part do not load pykka.
    """
    yield
    pykka = sys.modules.get("pykka")
    if pykka is None:
        return
    left = [str(actor) for actor in pykka.ActorRegistry.get_all()]
    if left:
        pykka.ActorRegistry.stop_all(block=False)  # blocking would hang on the actor that hangs
        pytest.fail(f"{item.name} left actors behind: {', '.join(left)}", pytrace=False)
