"""The inside of a runtime, for tests that have to reach into it."""

from __future__ import annotations

from saga import Runtime
from saga.actors.crew import Crew
from saga.coordination.coordinator import Coordinator


def crew_of(runtime: Runtime) -> Crew:
    """Return the actors of a runtime that is open."""
    assert runtime._crew is not None
    return runtime._crew


def coordinator_of(runtime: Runtime) -> Coordinator:
    """Return what the coordinator's actor drives."""
    coordinator = crew_of(runtime)._coordinator
    assert coordinator is not None
    return coordinator
