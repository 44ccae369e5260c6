"""Sagas that call sagas: the called one is started, given up or undone, and its caller hears of its end.

A command that a saga answers (`class CollectPayment(Saga[TakePayment], context=Payment)`) is the same as a `@call`: a
visit of the caller whose command goes to a saga.

Rules
1. What one saga does to another happens in the batch, and so in the commit, in which its cause is recorded. Nothing is
   sent that could be lost; after a crash there is nothing to be sent again.
2. What is to be done follows from the difference of `pending(...).calls` before and after what happened to the caller,
   and from the called saga's having ended. Doing it twice does no harm: the id of the called one is the command's.
3. A caller that does not want it any more (`given up`) waits for the end all the same: only then is known what it did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from msgspec import Raw

from saga.codec import codec_for
from saga.coordination.definitions import Definitions
from saga.coordination.guard import describe
from saga.coordination.instances import Instance
from saga.coordination.requests import Start
from saga.machine import Status, Stimulus, command_id, pending
from saga.machine import stimuli as s
from saga.machine.state import Phase, Sent, called

if TYPE_CHECKING:
    from saga.coordination.ledger import Ledger

__all__ = ["Calls"]

log: structlog.stdlib.BoundLogger = structlog.get_logger("saga.coordinator")

MOST_CALLS = 10_000
"""How many sagas one saga may call within one batch. A flow that never waits would fill it for ever."""

LONGEST_ID = 500
"""Characters of the id of a called saga: it grows with the depth of the calls, which must have an end."""

NULL = Raw(b"null")


class Calls:
    """What sagas that are linked by calls do to each other, in the batch at hand."""

    def __init__(
        self,
        ledger: Ledger,
        definitions: Definitions,
        happen: Callable[[Instance, Stimulus, str | None], object],
        find: Callable[[str], Instance | None],
    ) -> None:
        """`happen` lets something happen to a saga, guarded; `find` returns the saga of this id, wherever it is."""
        self._ledger, self._definitions = ledger, definitions
        self._happen, self._find = happen, find
        self._begun: Counter[int] = Counter()

    def open(self) -> None:
        """Begin a batch."""
        if self._begun:
            self._begun = Counter()

    def follow(self, instance: Instance) -> None:
        """Something has happened to a saga that calls others, or was called: do what follows from it."""
        state = instance.state
        before, after = instance.calls, pending(state).calls
        instance.calls = after
        for path, (sent, given_up) in after.items():
            known = before.get(path)
            if known is None:
                self._begin(instance, path, sent)
            if given_up and not (known is not None and known[1]):
                self._give_up(instance, path)
        over = state.ended is not None
        if over and not instance.told and state.parent:
            self._tell(instance)
        instance.told = over

    # --- from the caller to the called --------------------------------------------------------------

    def _begin(self, caller: Instance, path: str, sent: Sent) -> None:
        undoes = caller.state.visits[path].undoes
        if undoes is not None and sent.is_reversal:
            self._reverse(caller, path, command_id(caller.state.id, undoes.path))
            return
        self._begun[caller.no] += 1
        saga_id = command_id(caller.state.id, path)
        there = self._find(saga_id)
        if there is not None:
            self._is_there(caller, path, there)
        elif len(saga_id) > LONGEST_ID or self._begun[caller.no] > MOST_CALLS:
            what = "sagas call each other without an end"
            self._happen(caller, s.Blocked(path, "function", what), saga_id)
        else:
            self._start(caller, path, sent, saga_id)

    def _start(self, caller: Instance, path: str, sent: Sent, saga_id: str) -> None:
        name, version = called(sent.to)
        definition = self._definitions.find(name, version)
        if definition is None:
            what = f"{name} version {version} is not known to this runtime; add its class to Runtime(sagas=[...])"
            self._happen(caller, s.Blocked(path, "no-handler", what), saga_id)
            return
        try:
            value = codec_for(definition.input).decode(bytes(sent.command))
        except BaseException as error:  # its class has become stricter since
            what = f"the input of {name} cannot be read: {describe(error, trace=False)}"
            self._happen(caller, s.Blocked(path, "function", what), saga_id)
            return
        self._ledger.start(
            Start(
                definition,
                saga_id,
                sent.command,
                value,
                {},
                0,
                caller.state.correlation,
                saga_id,
                parent=caller.state.id,
                reply_to=path,
            )
        )

    def _is_there(self, caller: Instance, path: str, there: Instance) -> None:
        """The called saga was started before, and what its caller knew of it is lost; or the id is somebody else's."""
        if there.state.parent != caller.state.id or there.state.reply_to != path:
            what = f"the id {there.state.id!r} is taken by another saga; retry, or skip it"
            self._happen(caller, s.Blocked(path, "store", what), there.state.id)
        elif there.state.ended is not None:
            self._tell(there)

    def _give_up(self, caller: Instance, path: str) -> None:
        there = self._find(command_id(caller.state.id, path))
        if there is not None and there.state.ended is None:
            self._happen(there, s.GiveUp("its caller does not want it any more"), caller.state.id)
        elif there is not None:
            self._tell(there)

    def _reverse(self, caller: Instance, path: str, saga_id: str) -> None:
        there = self._find(saga_id)
        if there is None:
            what = f"saga {saga_id!r}, which is to be undone, is not there any more"
            self._happen(caller, s.Blocked(path, "store", what), caller.state.id)
        elif there.state.ended is Status.COMPLETED:
            self._happen(there, s.Reverse(path), command_id(caller.state.id, path))
        elif there.state.ended is not None:
            self._happen(caller, s.Completed(path, NULL), saga_id)

    # --- from the called to the caller --------------------------------------------------------------

    def _tell(self, instance: Instance) -> None:
        """A called saga has ended: its caller hears of it."""
        state = instance.state
        caller = self._find(state.parent)
        if caller is None:
            log.error("caller_not_found", saga_id=state.id, caller=state.parent)
            return
        visit = caller.state.visits.get(state.reply_to)
        if visit is None:
            return
        caller.author.forget(visit.element)
        inquired = visit.phase is Phase.RESOLVING
        reversed = visit.sent is not None and visit.sent.is_reversal
        self._happen(caller, _end_of(instance, inquired, reversed), state.id)


def _end_of(instance: Instance, inquired: bool, reversed: bool) -> Stimulus:
    """Return what the end of a called saga means to its caller."""
    state = instance.state
    path, answer = state.reply_to, state.answer if state.answer is not None else NULL
    if reversed:
        return s.Completed(path, NULL)
    if state.ended is Status.COMPLETED:
        return s.Resolved(path, "done", answer) if inquired else s.Completed(path, answer)
    failure = state.failure
    assert failure is not None
    if inquired:
        return s.Resolved(path, "not-done")
    return s.Refused(path, failure.code, failure.reason)
