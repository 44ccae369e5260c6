"""One story again: the line that a failing crash test prints."""

from __future__ import annotations

import os
import re

import pytest

from .harness import Crash, Story, Workers

STORY = os.environ.get("SAGA_STORY", "")


@pytest.mark.skipif(
    not STORY, reason="SAGA_STORY='scenario[seam:n seam:n]' names the story to be played again"
)
def test_the_story_that_failed(workers: Workers) -> None:
    told = re.fullmatch(r"(\w+)\[(.*)\]", STORY)
    assert told is not None, f"{STORY!r} is no story"
    crashes = [Crash(seam, int(nth)) for seam, nth in (each.split(":") for each in told[2].split())]
    Story(told[1], crashes).play(workers)
