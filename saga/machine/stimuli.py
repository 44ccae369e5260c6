"""What may happen to a saga: the stimuli that `decide` answers with records.

A stimulus says which visit it is about by its path; the shell knows it from the command id, timer or wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec
from msgspec import Raw

from saga.codec import decoding

__all__ = [
    "Assign",
    "Blocked",
    "Cancel",
    "Completed",
    "Decide",
    "EventArrived",
    "Failed",
    "GiveUp",
    "MarkDone",
    "Refused",
    "Resolved",
    "Resume",
    "Retry",
    "Reverse",
    "Skip",
    "Start",
    "Stimulus",
    "Suspend",
    "TimerFired",
    "decode_stimulus",
    "encode_stimulus",
]


class _Stimulus(msgspec.Struct, frozen=True, tag_field="is", omit_defaults=True, gc=False):
    """The base of all stimuli."""


class Start(_Stimulus, frozen=True, tag="start"):
    """Begin. Only for a saga that does not exist yet."""

    id: str
    input_type: str
    input: Raw
    correlation: str
    causation: str = ""
    tags: dict[str, str] = {}
    event_id: str = ""
    """The event that started it, if one did: it satisfies no wait of the saga again."""
    at: int = 0
    """When the flow begins, UTC ms; at once when that is past."""
    parent: str = ""
    """Id of the saga that calls it."""
    reply_to: str = ""
    """Path of the visit there that waits for it."""


class Completed(_Stimulus, frozen=True, tag="completed"):
    """A participant has carried out the command."""

    path: str
    answer: Raw


class Refused(_Stimulus, frozen=True, tag="refused"):
    """A participant refuses the command."""

    path: str
    code: str
    reason: str


class Failed(_Stimulus, frozen=True, tag="failed"):
    """An attempt failed. `unknown`: it may have had an effect all the same."""

    path: str
    reason: str
    unknown: bool = False


class Resolved(_Stimulus, frozen=True, tag="resolved"):
    """What became of a command whose outcome was inquired."""

    path: str
    outcome: Literal["done", "refused", "not-done", "unknown"]
    answer: Raw = Raw(b"null")
    reason: str = ""


class EventArrived(_Stimulus, frozen=True, tag="event"):
    """An event that the visit waits for is there."""

    path: str
    event_id: str
    event: Raw


class TimerFired(_Stimulus, frozen=True, tag="timer"):
    """A timer is due; `timer` is DEADLINE, WAKE or REMIND of `pending`."""

    path: str
    timer: str


class Blocked(_Stimulus, frozen=True, tag="blocked"):
    """The command of this visit cannot be delivered: `kind` is `no-handler`, `down` or `poison`."""

    path: str
    kind: str
    reason: str


class GiveUp(_Stimulus, frozen=True, tag="give-up"):
    """The caller of this saga does not want it any more: undo what was done, unless it is too late for that."""

    reason: str
    path: str = ""


class Reverse(_Stimulus, frozen=True, tag="reverse"):
    """The caller of this saga, which has completed, is undone: undo this, too, and tell the visit `reply_to`."""

    reply_to: str
    path: str = ""


class Decide(_Stimulus, frozen=True, tag="decide"):
    """A person has decided a task; `path` may be an element's name, and left out when only one task is open."""

    answer: Raw
    by: str = ""
    path: str = ""


class Assign(_Stimulus, frozen=True, tag="assign"):
    """A task is for this person (or group) from now on."""

    to: str
    by: str = ""
    path: str = ""


class Cancel(_Stimulus, frozen=True, tag="cancel"):
    """Give up: undo what was done."""

    reason: str


class Retry(_Stimulus, frozen=True, tag="retry"):
    """Try the parked visit again; `path` may be an element's name, and left out when only one is parked."""

    reason: str
    path: str = ""


class Skip(_Stimulus, frozen=True, tag="skip"):
    """Go on without the parked visit."""

    reason: str
    path: str = ""


class MarkDone(_Stimulus, frozen=True, tag="mark-done"):
    """The parked visit was done by hand, with this answer."""

    reason: str
    answer: Raw
    path: str = ""


class Suspend(_Stimulus, frozen=True, tag="suspend"):
    """Stop moving."""

    reason: str


class Resume(_Stimulus, frozen=True, tag="resume"):
    """Move again."""

    reason: str


Stimulus: TypeAlias = (
    Start
    | Completed
    | Refused
    | Failed
    | Resolved
    | EventArrived
    | TimerFired
    | Blocked
    | GiveUp
    | Reverse
    | Decide
    | Assign
    | Cancel
    | Retry
    | Skip
    | MarkDone
    | Suspend
    | Resume
)

_decode: Callable[[bytes], Stimulus] = decoding(msgspec.json.Decoder(Stimulus))


def encode_stimulus(stimulus: Stimulus) -> Raw:
    """Return the stimulus as JSON, to be held."""
    return Raw(msgspec.json.encode(stimulus))


def decode_stimulus(data: Raw) -> Stimulus:
    """Read what `encode_stimulus` wrote. Raises msgspec.DecodeError when it is something else."""
    return _decode(bytes(data))
