"""What an answer of a participant means to the saga that has asked."""

from __future__ import annotations

from saga.coordination.envelopes import UNSET, Answer
from saga.coordination.instances import Instance
from saga.machine import Stimulus
from saga.machine import stimuli as s

__all__ = ["stimulus_of"]


def stimulus_of(instance: Instance, answer: Answer) -> Stimulus:
    """Return what happens to the saga; the author's functions will see the value of the answer."""
    path = answer.path
    match answer.outcome:
        case "done":
            _tell_value(instance, answer)
            return s.Completed(path, answer.answer)
        case "resolved-done":
            _tell_value(instance, answer)
            return s.Resolved(path, "done", answer.answer)
        case "refused":
            return s.Refused(path, answer.code, answer.reason)
        case "failed":
            return s.Failed(path, answer.reason, answer.unknown)
        case "resolved-refused":
            return s.Resolved(path, "refused", reason=f"refused: {answer.reason} [{answer.code}]")
        case "resolved-unknown":
            return s.Resolved(path, "unknown")
        case other:
            assert other == "resolved-not-done", answer
            return s.Resolved(path, "not-done")


def _tell_value(instance: Instance, answer: Answer) -> None:
    visit = instance.state.visits.get(answer.path)
    if visit is not None and visit.undoes is None:
        if answer.value is UNSET:
            instance.author.forget(visit.element)
        else:
            instance.author.know(visit.element, answer.value)
