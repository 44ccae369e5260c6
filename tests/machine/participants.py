"""The participants of the world: contexts, which have an inbox, and gateways, which have none.

Rules
1. A context stores the outcome of each command in its inbox, and answers a repeated one from there. An
   inquiry about a command that it has not seen leaves a tombstone. An attempt that fails leaves nothing.
2. A gateway calls a service, which does nothing twice for the same idempotency key. A call may end unknown,
   with or without an effect. When it is asked about a command, a running call is awaited, one that has not
   begun is dropped; `not-done` it says only if no call ever began, in this life or an earlier one.
3. `effects` and `undone` count what has really happened, whoever knows of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

import msgspec
from msgspec import Raw

from reliability.model.invariants import hold
from saga.machine import Stimulus, command_id
from saga.machine import stimuli as s
from saga.machine.state import Sent

from .flows import CODES

__all__ = ["ID", "Message", "Participants", "Rules"]

ID = "saga-1"
Outcome = Literal["done", "refused", "failed", "failed after the effect"]


@dataclass(frozen=True)
class Rules:
    """Protections that can be switched off, to see that it is noticed."""

    tombstones: bool = True
    """An inquiry leaves a mark in the inbox, so that the command is never carried out afterwards."""
    dedupe: bool = True
    """A context answers a repeated command from its inbox."""
    unknown_is_told: bool = True
    """A gateway says when it does not know whether its call had an effect."""
    stored_before_sent: bool = True
    """Nothing leaves before it is on disk."""


@dataclass(eq=False)
class Message:
    """A command, or an inquiry about one, on its way to a participant."""

    kind: Literal["command", "inquiry"]
    saga: str
    path: str
    sent: Sent
    fresh: bool
    """Of a command: it was certainly never sent before. Of an inquiry: its command never was."""

    @property
    def id(self) -> str:
        return command_id(self.saga, self.path)

    @property
    def of(self) -> str:
        """Of a compensation: the id of the command that it undoes; "" for any other."""
        return str(msgspec.json.decode(self.sent.command).get("of", ""))


class Participants:
    """All of them. `reply` is called with the saga and what they tell it."""

    def __init__(self, rng: Random, rules: Rules, reply: Callable[[str, Stimulus], None]) -> None:
        self.rng, self.rules, self.reply = rng, rules, reply
        # on disk, or in the world
        self.inboxes: dict[str, tuple[str, str]] = {}
        """Command id → outcome and code."""
        self.effects: Counter[str] = Counter()
        """Command id → how often it was carried out."""
        self.undone: Counter[str] = Counter()
        """Id of the command that was undone → how often."""
        # in the memory of gateways
        self.calls: list[Message] = []
        """Calls that are being made."""
        self.asked: set[str] = set()
        """Ids of running calls whose outcome is inquired."""
        self.begun: set[str] = set()
        """Ids of calls that were begun since the last crash."""

    def below(self, n: int) -> int:
        return self.rng.randrange(n)

    def chance(self, one_in: int) -> bool:
        return one_in > 0 and self.below(one_in) == one_in - 1

    def receive(self, message: Message, mail: list[Message], *, well: bool = False) -> None:
        """A message arrives; `mail` is what is still on its way, `well`: it goes well."""
        if message.sent.to.startswith("gateway"):
            self._at_gateway(message, mail)
        else:
            self._at_context(message, well)

    def crash(self, participant: str = "") -> None:
        """What is in memory is gone, of one participant or of all; running calls end without telling how."""
        for call in [call for call in self.calls if participant in ("", call.sent.to)]:
            self.calls.remove(call)
            self.asked.discard(call.id)
            if self.chance(2):
                self._carry_out(call)
        if not participant:
            self.begun = set()

    # --- contexts ---------------------------------------------------------------------------------

    def _at_context(self, message: Message, well: bool) -> None:
        inboxes, path, saga = self.inboxes, message.path, message.saga
        stored = inboxes.get(message.id)
        if message.kind == "inquiry":
            if stored is None:
                if self.rules.tombstones:
                    inboxes[message.id] = ("void", "")
                self.reply(saga, s.Resolved(path, "not-done"))
            elif stored[0] == "done":
                self.reply(saga, s.Resolved(path, "done", self._answer_to(message)))
            else:
                self.reply(saga, s.Resolved(path, "refused" if stored[0] == "refused" else "not-done"))
        elif stored is not None and (self.rules.dedupe or stored[0] == "void"):
            if stored[0] == "done":
                self.reply(saga, s.Completed(path, self._answer_to(message)))
            else:
                self.reply(saga, s.Refused(path, stored[1] or "void", "as it said before"))
        else:
            self._carry_out_or_not(message, well)

    def _carry_out_or_not(self, message: Message, well: bool) -> None:
        outcome = self._outcome(message, ("done", "refused", "failed"), well)
        if outcome == "done":
            self.inboxes[message.id] = ("done", "")
            self._carry_out(message)
            self.reply(message.saga, s.Completed(message.path, self._answer_to(message)))
        elif outcome == "refused":
            code = CODES[self.below(2)]
            self.inboxes[message.id] = ("refused", code)
            self.reply(message.saga, s.Refused(message.path, code, "no"))
        else:
            self.reply(message.saga, s.Failed(message.path, "raised"))

    def _outcome(self, message: Message, outcomes: tuple[Outcome, ...], well: bool) -> Outcome:
        """Return what comes of a command. Compensations mostly work."""
        if well or (message.of and not self.chance(3)):
            return "done"
        return outcomes[self.below(len(outcomes))] if self.chance(3) else "done"

    def _answer_to(self, message: Message) -> Raw:
        return Raw(f'"{message.path}"'.encode())

    def _carry_out(self, message: Message) -> None:
        """It really happens. A service does nothing twice for a key; a context may, if nobody stops it."""
        id, of = message.id, message.of
        counts, key = (self.undone, of) if of else (self.effects, id)
        if message.sent.to.startswith("gateway") and counts[key]:
            return
        hold(of or not self.undone[id], f"{id} is carried out after it was undone")
        counts[key] += 1

    # --- gateways ---------------------------------------------------------------------------------

    def _at_gateway(self, message: Message, mail: list[Message]) -> None:
        if message.kind == "command":
            self.begun.add(message.id)
            if all(call.id != message.id for call in self.calls):  # else the running call will do
                self.calls.append(message)
        elif any(call.id == message.id for call in self.calls):
            self.asked.add(message.id)
        else:
            queued = [other for other in mail if other.id == message.id and other.kind == "command"]
            mail[:] = [other for other in mail if other not in queued]
            never_begun = message.id not in self.begun and queued and all(other.fresh for other in queued)
            known = message.fresh or never_begun or not self.rules.unknown_is_told
            self.reply(message.saga, s.Resolved(message.path, "not-done" if known else "unknown"))

    def end_call(self, call: Message, *, well: bool = False) -> None:
        """A gateway's call comes to its end."""
        self.calls.remove(call)
        done_before = self._is_done(call)
        outcomes: tuple[Outcome, ...] = ("done", "failed", "failed after the effect")
        outcome = self._outcome(call, outcomes if done_before else (*outcomes, "refused"), well)
        if outcome in ("done", "failed after the effect"):
            self._carry_out(call)
        if outcome == "done":
            self.reply(call.saga, s.Completed(call.path, self._answer_to(call)))
            resolved = s.Resolved(call.path, "done", self._answer_to(call))
        elif outcome == "refused":
            self.reply(call.saga, s.Refused(call.path, CODES[self.below(2)], "no"))
            resolved = s.Resolved(call.path, "refused")
        else:
            never_left = outcome == "failed" and call.fresh and self.chance(3)
            unknown = self.rules.unknown_is_told and not never_left
            self.reply(call.saga, s.Failed(call.path, "timed out", unknown))
            resolved = s.Resolved(call.path, "unknown" if unknown else "not-done")
        if call.id in self.asked:
            self.asked.discard(call.id)
            self.reply(call.saga, resolved)

    def _is_done(self, call: Message) -> bool:
        return bool(self.undone[call.of] if call.of else self.effects[call.id])
