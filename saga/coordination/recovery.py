"""From files to a running coordinator.

The order (DESIGN section 9): the active sagas are replayed, and the numbers of their open commands taken note of; the
contexts tell the answers they have stored and the events in their outboxes; then timers that fell due meanwhile
fire, in due order; then every command that is still open is sent again, with the id it had.
A crash during recovery is just another crash: each of these is an ordinary batch, or sends nothing new.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from saga.coordination.envelopes import Recall
from saga.log import Log
from saga.machine import command_id
from saga.seams import seam

if TYPE_CHECKING:
    from saga.coordination.coordinator import Coordinator

__all__ = ["Recovery"]

log = Log("saga.recovery")

COMMANDS_AT_ONCE = 1_000
"""Commands asked about in one `Recall`."""


class Recovery:
    """One recovery of a coordinator, at its start."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._awaited: dict[int, str] = {}
        """Number of a `Recall` that is not answered yet, and whose it is."""
        self._asked = 0
        self._reply: Future[None] | None = None

    def begin(self, reply: Future[None]) -> None:
        """Replay the active sagas and ask the contexts what they have stored."""
        self._reply = reply
        coordinator = self._coordinator
        lanes = coordinator.dispatcher.lanes
        seam("recovery.opened")
        asked: dict[str, list[tuple[str, int, str]]] = {name: [] for name in lanes}
        active = 0
        for saga in coordinator.open_commands.all():
            active += bool(saga.paths)
            for path, (participant, number) in saga.numbers.items():
                coordinator.suspects.locate(participant, number, saga.no, path)
                lane = lanes.get(participant)
                if lane is None:
                    continue
                coordinator.dispatcher.open_number(lane, number)
                if path in saga.paths and lane.kind == "context":
                    asked[participant].append((command_id(saga.id, path), saga.no, path))
                    if len(asked[participant]) == COMMANDS_AT_ONCE:
                        self._ask(participant, asked[participant])
                        asked[participant] = []
        seam("recovery.replayed")
        coordinator.suspects.located()
        coordinator.active = active
        for name, commands in asked.items():
            if lanes[name].kind == "context":
                self._ask(name, commands)
        if active:
            log.info("recovering", active_sagas=active)
        if not self._awaited:
            self._finish()

    def _ask(self, participant: str, commands: list[tuple[str, int, str]]) -> None:
        lane = self._coordinator.dispatcher.lanes[participant]
        if lane.down is None:
            self._asked += 1
            self._awaited[self._asked] = participant
            lane.port.post(Recall(self._asked, commands))

    def recalled(self, no: int) -> None:
        """A context has told everything it was asked, and that is on disk here. It may tell it twice."""
        self._awaited.pop(no, None)
        self._go_on()

    def lowered(self, participant: str) -> None:
        """A context will not tell any more: it is down."""
        for no in [no for no, asked in self._awaited.items() if asked == participant]:
            del self._awaited[no]
        self._go_on()

    def _go_on(self) -> None:
        if not self._awaited and self._reply is not None:
            seam("recovery.recalled")
            self._finish()

    def _finish(self) -> None:
        """Everything that had arrived was taken: now time passes, and what is open is sent again."""
        reply, self._reply = self._reply, None
        self._coordinator.resume(reply)
