"""A bank whose books can be checked to the cent, in three files: Giro, Savings and an auditor who listens.

What happens to a transfer is in its id: `plain-1` goes through, `refused-1` is refused by Savings and undone,
`called-1` takes its fee by a saga that it calls, `both-1` withdraws and deposits at the same time. Grants are sent by
the application itself. Every effect leaves a row in its context's own table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from saga import Command, Context, Event, Key, Rejected, Saga, call, choice, condition, parallel, step

__all__ = ["CONTEXTS", "FEE", "KINDS", "MONEY", "SAGAS", "Fee", "Grant", "Note", "Order", "Transfer"]

KINDS = ("plain", "refused", "called", "both")
MONEY = 1_000_000
"""Cents that Giro has at the beginning."""

FEE = 3
"""Cents, of a transfer that calls for one."""


@dataclass(frozen=True, slots=True)
class Order:
    """A transfer, or its fee."""

    id: str
    cents: int


@dataclass(frozen=True, slots=True)
class Withdraw(Command[None]):
    order: str
    cents: int


@dataclass(frozen=True, slots=True)
class PutBack(Command[None]):
    order: str
    cents: int


@dataclass(frozen=True, slots=True)
class Deposit(Command[None]):
    order: str
    cents: int


@dataclass(frozen=True, slots=True)
class TakeOut(Command[None]):
    order: str
    cents: int


@dataclass(frozen=True, slots=True)
class Grant(Command[None]):
    """The application gives Giro money."""

    id: str
    cents: int


@dataclass(frozen=True, slots=True)
class Note(Command[None]):
    """The application tells Savings of a grant that Giro has confirmed."""

    id: str


@dataclass(frozen=True, slots=True)
class Deposited(Event):
    order: Key[str]
    cents: int


def _tables(name: str, *statements: str) -> Migrations:
    migrations = Migrations(name)

    def make(db: Database) -> None:
        for statement in statements:
            db.execute(statement)

    migrations(name=f"make {name}")(make)
    return migrations


_EFFECTS = "CREATE TABLE effects (saga TEXT NOT NULL, what TEXT NOT NULL, cents INTEGER NOT NULL)"


class _Till(Context):
    def _move(self, order: str, what: str, cents: int) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, ?, ?)", [order, what, cents])
        self.db.execute("UPDATE money SET cents = cents + ?", [cents])


class Giro(_Till):
    """Where money comes from."""

    migrations = _tables(
        "giro",
        "CREATE TABLE money (cents INTEGER NOT NULL)",
        f"INSERT INTO money VALUES ({MONEY})",
        _EFFECTS,
        "CREATE TABLE grants (id TEXT PRIMARY KEY, cents INTEGER NOT NULL)",
    )

    @Withdraw.handler
    def withdraw(self, command: Withdraw) -> None:
        self._move(command.order, "withdraw", -command.cents)

    @PutBack.handler
    def put_back(self, command: PutBack) -> None:
        self._move(command.order, "put back", command.cents)

    @Grant.handler
    def grant(self, command: Grant) -> None:
        self.db.execute("INSERT INTO grants VALUES (?, ?)", [command.id, command.cents])
        self.db.execute("UPDATE money SET cents = cents + ?", [command.cents])


class Savings(_Till):
    """Where money goes to."""

    migrations = _tables(
        "savings",
        "CREATE TABLE money (cents INTEGER NOT NULL)",
        "INSERT INTO money VALUES (0)",
        _EFFECTS,
        "CREATE TABLE notes (id TEXT PRIMARY KEY)",
    )

    @Deposit.handler
    def deposit(self, command: Deposit) -> None:
        if command.order.startswith("refused"):
            raise Rejected("no such account", code="no-account")
        self._move(command.order, "deposit", command.cents)
        self.publish(Deposited(command.order, command.cents))

    @TakeOut.handler
    def take_out(self, command: TakeOut) -> None:
        self._move(command.order, "take out", -command.cents)

    @Note.handler
    def note(self, command: Note) -> None:
        self.db.execute("INSERT INTO notes VALUES (?)", [command.id])


class Auditor(Context):
    """Writes down every deposit."""

    migrations = _tables("auditor", "CREATE TABLE heard (saga TEXT NOT NULL, cents INTEGER NOT NULL)")

    @Deposited.listener
    def hear(self, event: Deposited) -> None:
        self.db.execute("INSERT INTO heard VALUES (?, ?)", [event.order, event.cents])


class Fee(Saga[Order]):
    """Moves the fee to Savings."""

    @step()
    def taking(self) -> Withdraw:
        return Withdraw(self.input.id, self.input.cents)

    @taking.compensation
    def giving_back(self) -> PutBack:
        return PutBack(self.input.id, self.input.cents)

    @step()
    def keeping(self) -> Deposit:
        return Deposit(self.input.id, self.input.cents)

    @keeping.compensation
    def letting_go(self) -> TakeOut:
        return TakeOut(self.input.id, self.input.cents)

    flow = (taking, keeping)


class Transfer(Saga[Order]):
    """Moves money from Giro to Savings."""

    @condition
    def is_both(self) -> bool:
        return self.input.id.startswith("both")

    @condition
    def is_called(self) -> bool:
        return self.input.id.startswith("called")

    @step()
    def withdrawing(self) -> Withdraw:
        return Withdraw(self.input.id, self.input.cents)

    @withdrawing.compensation
    def putting_back(self) -> PutBack:
        return PutBack(self.input.id, self.input.cents)

    @step()
    def depositing(self) -> Deposit:
        return Deposit(self.input.id, self.input.cents)

    @depositing.compensation
    def taking_out(self) -> TakeOut:
        return TakeOut(self.input.id, self.input.cents)

    @step()
    def taking(self) -> Withdraw:
        return Withdraw(self.input.id, self.input.cents)

    @taking.compensation
    def returning(self) -> PutBack:
        return PutBack(self.input.id, self.input.cents)

    @step()
    def bringing(self) -> Deposit:
        return Deposit(self.input.id, self.input.cents)

    @bringing.compensation
    def fetching(self) -> TakeOut:
        return TakeOut(self.input.id, self.input.cents)

    @call(Fee)
    def fee(self) -> Order:
        return Order(f"{self.input.id}-fee", FEE)

    flow = (
        choice((is_both, parallel(taking, bringing)), otherwise=(withdrawing, depositing)),
        choice((is_called, fee)),
    )


CONTEXTS: Sequence[Any] = (Giro, Savings, Auditor)
SAGAS = (Transfer, Fee)
