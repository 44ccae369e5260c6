"""What has happened to one saga: the records its journal is made of.

Rules
1. A record is a fact in the past tense. `evolve` applies it without looking anything up: no graph, no clock.
2. One row of the journal holds the records that one stimulus led to, as a JSON array of objects. The field
   `is` tells the kind. Fields are only ever added, with a default, and no kind ever changes its meaning:
   every record that was written must be read for ever (tests/machine/test_record_format.py holds a copy).
3. Values of the author (inputs, commands, answers, events) are embedded as JSON and never looked into.
4. A `path` names one visit of one element: `take_payment.1`, inside a scope `scope-1.2/charge_card.1`;
   its compensation is `take_payment.1~1`. Times are UTC milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec
from msgspec import Raw

from saga.codec import decoding

__all__ = ["FORMAT", "Record", "decode_records", "encode_records"]

FORMAT = 1
"""Version of the record format; pinned in `Started`."""


class _Record(msgspec.Struct, frozen=True, tag_field="is", omit_defaults=True, gc=False):
    """The base of all records."""


# --- the saga as a whole --------------------------------------------------------------------------


class Started(_Record, frozen=True, tag="started"):
    """The saga began. What it is pinned to for ever."""

    id: str
    saga: str
    version: int
    graph: str
    """Digest of the graph, which also covers the shapes of all message types."""
    input_type: str
    input: Raw
    at: int
    correlation: str
    causation: str = ""
    tags: dict[str, str] = {}
    event_id: str = ""
    """The event that started it, which satisfies no wait of it again."""
    format: int = FORMAT
    due: int | None = None
    """The deadline of the saga as a whole."""
    parent: str = ""
    """Id of the saga that has called it."""
    reply_to: str = ""
    """Path of the visit there that waits for it."""


class Ended(_Record, frozen=True, tag="ended"):
    """The saga is over: `COMPLETED` or `COMPENSATED`."""

    status: str


class Reversed(_Record, frozen=True, tag="reversed"):
    """The saga had completed; its caller is undone, and so it is undone, too. `reply_to`: see `Started`."""

    reply_to: str


class Suspended(_Record, frozen=True, tag="suspended"):
    """An operator stopped the saga: what comes in is held, nothing moves."""

    reason: str


class Held(_Record, frozen=True, tag="held"):
    """Something came in while the saga was suspended; it is taken up when the saga is resumed.
    `path`: of the visit it is about, whose participant need not be asked again."""

    stimulus: Raw
    path: str = ""


class Resumed(_Record, frozen=True, tag="resumed"):
    """An operator let a suspended saga go on."""

    reason: str


class Acted(_Record, frozen=True, tag="acted"):
    """An operator (or the runtime, for a participant that is back) did something about a visit."""

    action: str
    path: str
    reason: str


class Ignored(_Record, frozen=True, tag="ignored"):
    """Something arrived too late, twice or for nobody: it changes nothing, and is not forgotten."""

    what: str
    path: str
    why: str


# --- scopes and flows -----------------------------------------------------------------------------


class ScopeEntered(_Record, frozen=True, tag="scope-entered"):
    """A visit of a scope began: a scope instance of this path exists now."""

    path: str
    element: str
    scope: str
    due: int | None = None
    remind: int | None = None
    """When the first reminder is due."""
    round: int = 0
    """For a `repeat`: which round it is, from 1."""


class EachBegun(_Record, frozen=True, tag="each-begun"):
    """An `each` was reached: a scope instance of this path holds its items. `leaf` has listed them."""

    path: str
    element: str
    scope: str
    leaf: str
    items: list[Raw]


class ItemBegun(_Record, frozen=True, tag="item-begun"):
    """An item of an `each` was begun, in a scope instance of its own. `index` is from 0."""

    path: str
    element: str
    scope: str
    index: int


class ScopeLeft(_Record, frozen=True, tag="scope-left"):
    """A scope, round, item or `each` completed. Its undo entries become its parent's, as one unit; or `undo` alone
    undoes it."""

    path: str
    undo: str | None = None


class ScopeFailed(_Record, frozen=True, tag="scope-failed"):
    """A scope (the top one: path "") turns back. Waits and timers in it are dropped, what is open is
    resolved, then what was done is undone in reverse. `caught`: the flow goes on behind it after that."""

    path: str
    code: str
    reason: str
    element: str
    caught: bool


class ScopeUndone(_Record, frozen=True, tag="scope-undone"):
    """Everything in a failed inner scope is undone; it is gone."""

    path: str


class Terminated(_Record, frozen=True, tag="terminated"):
    """A terminate end was reached: the scope ends now; what is still open in it is resolved and undone."""

    path: str
    element: str


class Chosen(_Record, frozen=True, tag="chosen"):
    """A choice was made: `case` is the name of the condition, or `otherwise`."""

    element: str
    scope: str
    case: str


class JoinReached(_Record, frozen=True, tag="join-reached"):
    """A token reached a join that waits for `of` tokens."""

    element: str
    scope: str
    of: int


class Looped(_Record, frozen=True, tag="looped"):
    """The flow went back, for the `times`-th time in this visit of the scope."""

    element: str
    scope: str
    times: int


# --- steps ----------------------------------------------------------------------------------------


class CommandSent(_Record, frozen=True, tag="command-sent"):
    """A step was reached; its command is journaled and may be dispatched."""

    path: str
    element: str
    scope: str
    type: str
    command: Raw
    to: str
    """Name of the participant."""
    number: int
    """Number of the command among those to this participant."""
    due: int | None = None


class AttemptFailed(_Record, frozen=True, tag="attempt-failed"):
    """An attempt ended without an answer. `unknown`: it may have had an effect all the same (a gateway)."""

    path: str
    attempt: int
    reason: str
    unknown: bool = False
    retry_at: int | None = None
    """When the next attempt begins; None: there is none."""


class AttemptBegun(_Record, frozen=True, tag="attempt-begun"):
    """The command is sent again, with the same id. `anew`: by a person; attempts before do not count."""

    path: str
    attempt: int
    anew: bool = False


class StepCompleted(_Record, frozen=True, tag="step-completed"):
    """The step was done. `undo` is the function that undoes it, `via` says who told: its answer, the inquiry
    (`resolve`) after a time-out or a failure elsewhere, or a person (`hand`)."""

    path: str
    answer: Raw
    undo: str | None = None
    pivot: bool = False
    via: str = "answer"


class StepRefused(_Record, frozen=True, tag="step-refused"):
    """The participant refused; nothing was done."""

    path: str
    code: str
    reason: str


class StepFailed(_Record, frozen=True, tag="step-failed"):
    """The step ended without an answer: out of attempts (`failed`) or of time (`timeout`).
    `unknown`: it may have been done, so `undo` will be run without an answer."""

    path: str
    code: str
    reason: str
    unknown: bool = False
    undo: str | None = None


class Resolving(_Record, frozen=True, tag="resolving"):
    """The outcome is inquired: the participant tells the stored answer, or sees to it that there is none.
    `code`: what is thrown when there is none, if the step was not out of time but of attempts (`failed`)."""

    path: str
    why: str
    code: str = ""


class StepDropped(_Record, frozen=True, tag="step-dropped"):
    """The inquiry found that the step was not done, and it never will be."""

    path: str
    why: str


class StepSkipped(_Record, frozen=True, tag="step-skipped"):
    """A person decided that the flow goes on without this element."""

    path: str
    reason: str


# --- waits, timers, answers -----------------------------------------------------------------------


class WaitBegun(_Record, frozen=True, tag="wait-begun"):
    """The saga waits for an event of this type with this key."""

    path: str
    element: str
    scope: str
    event: str
    key: str
    due: int | None = None
    remind: int | None = None
    race: str = ""
    host: str = ""
    """Path of the scope instance it is a boundary event of."""


class TaskOpened(_Record, frozen=True, tag="task-opened"):
    """A person is to decide. `type` is that of the decision, `subject` what the person is shown."""

    path: str
    element: str
    scope: str
    type: str
    subject: Raw
    due: int | None = None
    remind: int | None = None
    race: str = ""
    at: int = 0


class TaskAssigned(_Record, frozen=True, tag="task-assigned"):
    """It was said who is to decide; "": nobody in particular."""

    path: str
    to: str
    by: str = ""


class TaskDone(_Record, frozen=True, tag="task-done"):
    """A person has decided."""

    path: str
    answer: Raw
    by: str = ""


class RaceBegun(_Record, frozen=True, tag="race-begun"):
    """A race was reached; what takes part in it is begun next."""

    path: str
    element: str
    scope: str
    due: int | None = None


class RaceOver(_Record, frozen=True, tag="race-over"):
    """A race was won by the visit `by` ("": by time); what else took part in it is dropped."""

    path: str
    by: str = ""


class Reminded(_Record, frozen=True, tag="reminded"):
    """The time of a reminder had come, for the `times`-th time; the next one is at `remind`."""

    path: str
    times: int
    remind: int | None = None


class EventPublished(_Record, frozen=True, tag="event-published"):
    """The saga has published an event, which is in the log since the same commit."""

    path: str
    element: str
    scope: str
    type: str
    event: Raw
    key: str | None = None


class EventTaken(_Record, frozen=True, tag="event-taken"):
    """The event waited for was there."""

    path: str
    event_id: str
    event: Raw


class WaitExpired(_Record, frozen=True, tag="wait-expired"):
    """The time within which the event, or the decision, was waited for is over."""

    path: str


class SleepBegun(_Record, frozen=True, tag="sleep-begun"):
    """The saga sleeps until `due`."""

    path: str
    element: str
    scope: str
    due: int
    race: str = ""


class Woke(_Record, frozen=True, tag="woke"):
    """The sleep is over."""

    path: str


class Answered(_Record, frozen=True, tag="answered"):
    """The saga has an answer; a later one replaces it."""

    path: str
    element: str
    scope: str
    answer: Raw


# --- compensation ---------------------------------------------------------------------------------


class CompensationBegun(_Record, frozen=True, tag="compensation-begun"):
    """In the middle of the flow, what was done so far in this scope instance is undone: by the element `target` (a leaf
    or a block), or everything (""). The flow waits for it."""

    path: str
    element: str
    scope: str
    target: str = ""


class CompensationDone(_Record, frozen=True, tag="compensation-done"):
    """That is undone; the flow goes on."""

    path: str


class UndoSent(_Record, frozen=True, tag="undo-sent"):
    """The compensation of the visit `of` was sent."""

    path: str
    element: str
    scope: str
    of: str
    type: str
    command: Raw
    to: str
    number: int


class UndoCompleted(_Record, frozen=True, tag="undo-completed"):
    """The visit is undone."""

    path: str
    via: str = "answer"


class UndoSkipped(_Record, frozen=True, tag="undo-skipped"):
    """A person decided that this is not undone."""

    path: str
    reason: str


# --- incidents ------------------------------------------------------------------------------------


class Parked(_Record, frozen=True, tag="parked"):
    """This visit cannot go on without a person. `kind`: `function` (the author's function raised), `refused`,
    `failed`, `timeout` (there is no way back), `undo-refused`, `undo-failed`, `no-handler`, `down`, `poison`,
    `store`.
    `of`: for a compensation whose function raised, the visit it was to undo."""

    path: str
    element: str
    scope: str
    kind: str
    reason: str
    at: int
    of: str | None = None


class Unparked(_Record, frozen=True, tag="unparked"):
    """The visit is given up, and its element visited anew."""

    path: str


Record: TypeAlias = (
    Started
    | Ended
    | Reversed
    | Suspended
    | Held
    | Resumed
    | Acted
    | Ignored
    | ScopeEntered
    | EachBegun
    | ItemBegun
    | ScopeLeft
    | ScopeFailed
    | ScopeUndone
    | Terminated
    | Chosen
    | JoinReached
    | Looped
    | CommandSent
    | AttemptFailed
    | AttemptBegun
    | StepCompleted
    | StepRefused
    | StepFailed
    | Resolving
    | StepDropped
    | StepSkipped
    | WaitBegun
    | TaskOpened
    | TaskAssigned
    | TaskDone
    | RaceBegun
    | RaceOver
    | Reminded
    | EventPublished
    | EventTaken
    | WaitExpired
    | SleepBegun
    | Woke
    | Answered
    | CompensationBegun
    | CompensationDone
    | UndoSent
    | UndoCompleted
    | UndoSkipped
    | Parked
    | Unparked
)

_encode = msgspec.json.Encoder().encode


def encode_records(records: list[Record]) -> bytes:
    """Return the records of one row as a JSON array of objects."""
    return _encode(records)


decode_records: Callable[[bytes], list[Record]] = decoding(msgspec.json.Decoder(list[Record]))
"""Read what `encode_records` wrote. Raises msgspec.DecodeError when it is something else."""
