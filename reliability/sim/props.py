"""How each handler and function of the business ends, this time: what the play has in store for it.

Rules
1. `quirks` has, by name and key, what is to go wrong at the first, second, ... time; afterwards, and as soon as the
   play is calm, all goes well.
2. An effect of a context is a row with the id of its message, written in the transaction that is open. An effect of a
   gateway is known to the service outside, which keeps it whatever becomes of our process.
3. A process that ends inside of a handler, ends: `die` notes it, and nothing is committed any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saga import Rejected

__all__ = ["EFFECTS", "OUTCOMES", "PROPS", "Ended", "Props"]

EFFECTS = "CREATE TABLE effects (no INTEGER PRIMARY KEY, message TEXT NOT NULL, what TEXT NOT NULL) STRICT"

OUTCOMES = ("raise", "refuse", "keep", "late", "exit", "end", "lost", "card")
"""`raise`: an exception, before anything is done; `refuse`: `Rejected`; `keep`: the same, returned, which keeps what
was written; `late`: an exception after everything was done; `exit`: SystemExit; `end`: the process ends; `lost`: a
context loses its transaction; `card`: `Rejected` with another code."""


class Ended(BaseException):
    """The process has ended here."""


class Props:
    """Of the seed that is played now: there is one at a time in a process."""

    def __init__(self) -> None:
        self.begin({}, lambda: None, lambda context: "")

    def begin(
        self,
        quirks: dict[tuple[str, str], list[str]],
        die: Callable[[], None],
        message: Callable[[str], str],
    ) -> None:
        """A play begins. `die` ends the process; `message` returns the id of the message that a context is at."""
        self.quirks, self.die, self.message = quirks, die, message
        self.calm = False
        self.service: list[tuple[str, str]] = []
        """What gateways have really done, in order: idempotency key and what."""
        self.said: dict[str, str] = {}
        """Idempotency key → how the first call ended that was answered: "" is done."""

    def next(self, what: str, key: str) -> str:
        """Return how this ends, "" when well."""
        waiting = self.quirks.get((what, key))
        return waiting.pop(0) if waiting and not self.calm else ""

    def peek(self, what: str, key: str) -> str:
        """Return how the next one ends, without taking it."""
        waiting = self.quirks.get((what, key))
        return waiting[0] if waiting and not self.calm else ""

    def _may_end(self, outcome: str, what: str) -> None:
        match outcome:
            case "raise" | "lost":
                raise ValueError(f"{what} fails")
            case "exit":
                raise SystemExit(f"{what} exits")
            case "refuse":
                raise Rejected(f"{what} is refused", code="no")
            case "card":
                raise Rejected(f"{what} is refused", code="card")
            case "end":
                self.die()
                raise Ended
            case _:
                pass

    def effect(self, db: Any, context: str, what: str, key: str) -> Rejected | None:
        """An effect of a context, or how it ends instead."""
        outcome = self.next(what, key)
        if outcome == "lost":
            for _ in range(2):
                db.execute("INSERT OR ROLLBACK INTO effects VALUES (-1, '', '')")
        self._may_end(outcome, what)
        row = [self.message(context), f"{what}, refused" if outcome == "keep" else what]
        db.execute("INSERT INTO effects (message, what) VALUES (?, ?)", row)
        if outcome == "late":
            raise ValueError(f"{what} fails after it was done")
        return Rejected(f"{what} is refused, kept", code="no") if outcome == "keep" else None

    def may_fail_late(self, context: str, what: str, key: str) -> None:
        """What was written and published is taken back."""
        if self.peek(f"{what}!", key):
            self._may_end(self.next(f"{what}!", key), what)

    def call(self, gateway: str, id: str, what: str, key: str) -> None:
        """A call of a gateway: its effect, or how it ends instead."""
        outcome = self.next(what, key)
        said = self.said.get(id)  # under one key it is always said the same
        if outcome in ("raise", "exit", "end", "lost"):
            self._may_end(outcome, what)
        if said is None:
            said = self.said[id] = "" if outcome == "late" else outcome.replace("keep", "refuse")
            if not said:
                self.service.append((id, what))
        self._may_end(said, what)
        if outcome == "late":
            raise TimeoutError(f"{what}: no answer, whatever was done")

    def may_raise(self, what: str, key: str) -> None:
        """A function of a saga may raise, or end the process."""
        outcome = self.next(f"{what}()", key)
        if outcome == "end":
            self.die()
            raise Ended
        if outcome:
            raise ValueError(f"{what} raises")

    def says(self, what: str, key: str) -> bool:
        """What a condition says: known from its key, so that it says so again."""
        return (sum(map(ord, key)) + sum(map(ord, what))) % 3 == 0


PROPS = Props()
"""The one there is. Handlers and functions are called by the runtime, so they find it here."""
