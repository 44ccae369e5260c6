"""The business that is simulated: messages, participants, and sagas that use every element of the flow language.

What goes wrong in it is not written here: each handler and function asks the props of the play how it ends this time,
by its name and the key of its saga. Contexts leave a row for each effect in a table of their own; what gateways do
is kept by a service outside, which does nothing twice for the same idempotency key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from reliability.sim.props import EFFECTS, PROPS
from saga import (
    Command,
    Context,
    Event,
    Gateway,
    Key,
    Rejected,
    Retry,
    Saga,
    again,
    answer,
    call,
    choice,
    compensate,
    condition,
    each,
    end,
    items,
    parallel,
    publish,
    race,
    refuse,
    repeat,
    scope,
    sleep,
    step,
    task,
    wait,
)

__all__ = ["EVENTS", "FLOWS", "PARTICIPANTS", "SAGAS", "Job", "Nightly"]

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
QUICK = Retry(attempts=3, first=timedelta(seconds=1))


# --- messages ---


@dataclass(frozen=True, slots=True)
class Job:
    """What a saga is about: a key, by which all that has to do with it goes."""

    key: str


@dataclass(frozen=True, slots=True)
class Do(Command[int]):
    what: str
    key: str


@dataclass(frozen=True, slots=True)
class Undo(Command[None]):
    what: str
    key: str


@dataclass(frozen=True, slots=True)
class Pay(Command[str]):
    what: str
    key: str


@dataclass(frozen=True, slots=True)
class PayBack(Command[None]):
    what: str
    key: str


@dataclass(frozen=True, slots=True)
class Collect(Command[str]):
    """Answered by a saga."""

    key: str


@dataclass(frozen=True, slots=True)
class Post(Command[str]):
    what: str
    key: str


@dataclass(frozen=True, slots=True)
class Charge(Command[str]):
    what: str
    key: str


@dataclass(frozen=True, slots=True)
class Void(Command[None]):
    what: str
    key: str


@dataclass(frozen=True, slots=True)
class Came(Event):
    key: Key[str]


@dataclass(frozen=True, slots=True)
class Stop(Event):
    key: Key[str]


@dataclass(frozen=True, slots=True)
class Booked(Event):
    """Starts a saga."""

    key: Key[str]


@dataclass(frozen=True, slots=True)
class Noticed(Event):
    key: Key[str]


EVENTS: dict[str, type[Came | Stop | Booked | Noticed]] = {
    "Came": Came,
    "Stop": Stop,
    "Booked": Booked,
    "Noticed": Noticed,
}


# --- participants ---


def _migrations(name: str) -> Migrations:
    migrations = Migrations(name)

    def make(db: Database) -> None:
        db.execute(EFFECTS)

    migrations(name=f"make {name}")(make)
    return migrations


class Stock(Context):
    """Does what it is told, and takes it back; some of it is an event, and some events it notices."""

    migrations = _migrations("stock")

    @Do.handler
    def do(self, command: Do) -> int | Rejected:
        refusal = PROPS.effect(self.db, "stock", command.what, command.key)
        if command.what in ("reserve", "seat"):
            self.publish(Booked(f"{command.key}/{command.what}"))
        PROPS.may_fail_late("stock", command.what, command.key)
        return len(command.key) if refusal is None else refusal

    @Undo.handler
    def undo(self, command: Undo) -> Rejected | None:
        return PROPS.effect(self.db, "stock", f"un{command.what}", command.key)

    @Noticed.listener
    def hear(self, event: Noticed) -> None:
        PROPS.effect(self.db, "stock", "hear", event.key)


class Bank(Context):
    """Takes money and gives it back; `Collect` is answered by a saga."""

    migrations = _migrations("bank")

    @Pay.handler
    def pay(self, command: Pay) -> str | Rejected:
        refusal = PROPS.effect(self.db, "bank", command.what, command.key)
        PROPS.may_fail_late("bank", command.what, command.key)
        return f"paid {command.what}" if refusal is None else refusal

    @PayBack.handler
    def pay_back(self, command: PayBack) -> Rejected | None:
        return PROPS.effect(self.db, "bank", f"un{command.what}", command.key)

    @Booked.listener
    def note(self, event: Booked) -> None:
        """A listener that publishes."""
        PROPS.effect(self.db, "bank", "note", event.key)
        self.publish(Noticed(event.key))

    @Came.listener
    def count(self, event: Came) -> None:
        PROPS.effect(self.db, "bank", "count", event.key)


class Letters(Gateway):
    """One call at a time."""

    @Post.handler
    def post(self, command: Post) -> str:
        PROPS.call("letters", self.key, command.what, command.key)
        return f"posted {command.what}"


class Cards(Gateway):
    """Several at once."""

    concurrency = 2

    @Charge.handler
    def charge(self, command: Charge) -> str:
        PROPS.call("cards", self.key, command.what, command.key)
        return f"charged {command.what}"

    @Void.handler
    def void(self, command: Void) -> None:
        PROPS.call("cards", self.key, f"un{command.what}", command.key)


PARTICIPANTS: list[type[Context] | type[Gateway]] = [Stock, Bank, Letters, Cards]


# --- sagas ---


class Order(Saga[Job]):
    """Steps with compensations, time-outs and retries, a wait, a pivot."""

    @step(timeout=HOUR, retry=QUICK)
    def reserve(self) -> Do:
        PROPS.may_raise("reserve", self.input.key)
        return Do("reserve", self.input.key)

    @reserve.compensation
    def unreserve(self) -> Undo:
        PROPS.may_raise("unreserve", self.input.key)
        return Undo("reserve", self.input.key)

    @step(timeout=2 * HOUR, retry=QUICK)
    def charge(self) -> Charge:
        return Charge("charge", self.input.key)

    @charge.compensation
    def void(self, charged: str | None) -> Void:
        return Void("charge", self.input.key)

    @wait(Came, within=12 * HOUR)
    def came(self) -> str:
        return self.input.key

    @step(pivot=True, timeout=HOUR, retry=QUICK)
    def ship(self) -> Pay:
        return Pay("ship", self.input.key)

    @step(retry=QUICK)
    def confirm(self) -> Post:
        return Post("confirm", self.input.key)

    @answer
    def told(self) -> str:
        return f"{self.reserve} {self.charge} {self.ship}"

    flow = (reserve, charge, came, ship, confirm, told)


class Trip(Saga[Job], deadline=timedelta(days=9)):
    """Scopes that catch, go again, are out of time, and are undone as one."""

    @step(retry=QUICK)
    def hotel(self) -> Do:
        return Do("hotel", self.input.key)

    @hotel.compensation
    def unhotel(self, number: int | None) -> Undo:
        return Undo("hotel", self.input.key)

    @step(timeout=HOUR, retry=QUICK)
    def flight(self) -> Charge:
        return Charge("flight", self.input.key)

    @flight.compensation
    def unflight(self, charged: str | None) -> Void:
        return Void("flight", self.input.key)

    @step(retry=QUICK)
    def plan_b(self) -> Pay:
        return Pay("plan_b", self.input.key)

    @plan_b.compensation
    def unplan_b(self) -> PayBack:
        return PayBack("plan_b", self.input.key)

    @step(retry=QUICK)
    def tell(self) -> Post:
        return Post("tell", self.input.key)

    @step(retry=QUICK)
    def tour(self) -> Do:
        return Do("tour", self.input.key)

    @step(retry=QUICK)
    def guide(self) -> Pay:
        return Pay("guide", self.input.key)

    @guide.compensation
    def unguide(self) -> PayBack:
        return PayBack("guide", self.input.key)

    @step()
    def untour(self) -> Undo:
        return Undo("tour", self.input.key)

    @step(retry=QUICK)
    def seal(self) -> Do:
        return Do("seal", self.input.key)

    flow = (
        scope(
            hotel,
            flight,
            timeout=3 * HOUR,
            catch={"no": (tell, again(at_most=2)), "timeout": plan_b, "failed": ()},
        ),
        scope(tour, guide, compensation=untour),
        seal,
    )


class Party(Saga[Job]):
    """An each in an each, some items at once."""

    @items
    def guests(self) -> list[str]:
        return [f"{self.input.key}-{name}" for name in ("ada", "ben", "cleo")]

    @step(retry=QUICK, timeout=2 * HOUR)
    def seat(self, guest: str) -> Do:
        return Do("seat", guest)

    @seat.compensation
    def unseat(self, guest: str, number: int | None) -> Undo:
        return Undo("seat", guest)

    @items
    def dishes(self, guest: str) -> list[str]:
        return [f"{guest}-soup", f"{guest}-cake"][: len(guest) % 3]

    @step(retry=QUICK)
    def serve(self, dish: str) -> Charge:
        return Charge("serve", dish)

    @serve.compensation
    def unserve(self, dish: str, charged: str | None) -> Void:
        return Void("serve", dish)

    @answer
    def places(self) -> list[int]:
        return list(self.seat)

    flow = (each(guests, seat, each(dishes, serve), concurrency=2), places)


class Fork(Saga[Job]):
    """Branches in branches, with a race in one of them."""

    @step(retry=QUICK, timeout=HOUR)
    def left(self) -> Do:
        return Do("left", self.input.key)

    @left.compensation
    def unleft(self) -> Undo:
        return Undo("left", self.input.key)

    @sleep
    def nap(self) -> timedelta:
        return 20 * MINUTE

    @step(retry=QUICK)
    def lefter(self) -> Pay:
        return Pay("lefter", self.input.key)

    @lefter.compensation
    def unlefter(self) -> PayBack:
        return PayBack("lefter", self.input.key)

    @wait(Came)
    def came(self) -> str:
        return self.input.key

    @wait(Stop)
    def stop(self) -> str:
        return self.input.key

    @step(retry=QUICK)
    def thank(self) -> Post:
        return Post("thank", self.input.key)

    @step(retry=QUICK, timeout=HOUR)
    def right(self) -> Charge:
        return Charge("right", self.input.key)

    @right.compensation
    def unright(self, charged: str | None) -> Void:
        return Void("right", self.input.key)

    @step(retry=QUICK)
    def last(self) -> Do:
        return Do("last", self.input.key)

    flow = (
        parallel(
            (left, nap, lefter),
            race((came, thank), (stop, refuse("stopped", code="stopped")), after=(5 * HOUR, ())),
            parallel(right, ()),
        ),
        last,
    )


class Rounds(Saga[Job]):
    """Rounds, a choice, a sleep, a publication, something that is undone in the middle."""

    @step(retry=QUICK)
    def draw(self) -> Do:
        return Do("draw", self.input.key)

    @draw.compensation
    def undraw(self) -> Undo:
        return Undo("draw", self.input.key)

    @condition
    def enough(self) -> bool:
        PROPS.may_raise("enough", self.input.key)
        return PROPS.says("enough", self.input.key)

    @condition
    def long(self) -> bool:
        return PROPS.says("long", self.input.key)

    @sleep
    def night(self) -> timedelta:
        return 8 * HOUR

    @publish
    def booked(self) -> Booked:
        return Booked(f"{self.input.key}/rounds")

    @step(retry=QUICK)
    def lend(self) -> Pay:
        return Pay("lend", self.input.key)

    @lend.compensation
    def unlend(self) -> PayBack:
        return PayBack("lend", self.input.key)

    @wait(Noticed, within=6 * HOUR, otherwise=())
    def noticed(self) -> str:
        return f"{self.input.key}/rounds"

    flow = (
        repeat(draw, until=enough, at_most=3),
        choice((long, night), otherwise=(lend, compensate(lend))),
        booked,
        noticed,
        choice((long, end()), otherwise=()),
    )


class Child(Saga[Job]):
    """Called by another one."""

    @step(retry=QUICK, timeout=HOUR)
    def help(self) -> Do:
        return Do("help", self.input.key)

    @help.compensation
    def unhelp(self) -> Undo:
        return Undo("help", self.input.key)

    @wait(Came, within=4 * HOUR)
    def came(self) -> str:
        return self.input.key

    @answer
    def number(self) -> int:
        return self.help

    flow = (help, came, number)


class Collecting(Saga[Collect], context=Bank):
    """Answers a command: charges, and waits."""

    @step(retry=QUICK)
    def charging(self) -> Charge:
        return Charge("collect", self.input.key)

    @charging.compensation
    def uncharging(self, charged: str | None) -> Void:
        return Void("collect", self.input.key)

    @wait(Came, within=10 * HOUR)
    def came(self) -> str:
        return self.input.key

    @answer
    def receipt(self) -> str:
        return "receipt"

    flow = (charging, came, receipt)


class Family(Saga[Job]):
    """Calls another saga, and sends a command that one answers."""

    @step(retry=QUICK)
    def begin(self) -> Do:
        return Do("begin", self.input.key)

    @begin.compensation
    def unbegin(self) -> Undo:
        return Undo("begin", self.input.key)

    @call(Child, answer=int, timeout=3 * HOUR)
    def child(self) -> Job:
        return Job(f"{self.input.key}-c")

    @step(timeout=8 * HOUR)
    def collect(self) -> Collect:
        return Collect(self.input.key)

    @collect.compensation
    def uncollect(self) -> PayBack:
        return PayBack("collect", self.input.key)

    @step(retry=QUICK)
    def close(self) -> Pay:
        return Pay("close", self.input.key)

    flow = (begin, child, collect, close)


class Asking(Saga[Job]):
    """A person decides; meanwhile it reminds, and listens."""

    @step(retry=QUICK)
    def prepare(self) -> Do:
        return Do("prepare", self.input.key)

    @prepare.compensation
    def unprepare(self) -> Undo:
        return Undo("prepare", self.input.key)

    @step(retry=QUICK)
    def remind(self) -> Post:
        return Post("remind", self.input.key)

    @task(answer=bool, within=5 * HOUR, every=(2 * HOUR, remind))
    def approve(self) -> Job:
        return self.input

    @condition
    def denied(self) -> bool:
        return not self.approve

    @wait(Stop)
    def asked(self) -> str:
        return self.input.key

    @step(retry=QUICK)
    def reply(self) -> Do:
        return Do("reply", self.input.key)

    @reply.compensation
    def unreply(self) -> Undo:
        return Undo("reply", self.input.key)

    @step(retry=QUICK)
    def look(self) -> Pay:
        return Pay("look", self.input.key)

    @wait(Came, within=7 * HOUR)
    def came(self) -> str:
        return self.input.key

    flow = (
        prepare,
        approve,
        choice((denied, refuse("denied", code="denied"))),
        scope(came, whenever=(asked, reply), every=(3 * HOUR, look, 2), catch={"timeout": ()}),
    )


class Letter(Saga[Booked], started_by_event=True):
    """Started by an event that a context, a saga or the application publishes."""

    @step(retry=QUICK)
    def posting(self) -> Post:
        return Post("letter", self.input.key)

    flow = posting


class Nightly(Saga[Job]):
    """Started by a schedule."""

    @step(retry=QUICK)
    def report(self) -> Do:
        return Do("report", self.input.key)

    flow = report


FLOWS: dict[str, type[Saga[Job]]] = {
    saga.__name__: saga for saga in (Order, Trip, Party, Fork, Rounds, Family, Asking)
}
"""Those that the application starts."""

SAGAS: list[type[Saga[Job]] | type[Saga[Collect]] | type[Saga[Booked]]] = [
    *FLOWS.values(),
    Collecting,
    Letter,
    Nightly,
]
