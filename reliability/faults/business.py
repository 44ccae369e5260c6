"""The business in which user code misbehaves: a participant or a saga for each place that the runtime calls it at.

Every message carries which hook misbehaves and what it does there; all others do as they should. Effects are rows of
the office's own table, which is what a trial believes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from reliability.faults.deeds import DEEDS, Place, Tree
from saga import (
    Command,
    Context,
    Event,
    Gateway,
    Key,
    Retry,
    Runtime,
    Saga,
    answer,
    call,
    choice,
    condition,
    each,
    items,
    publish,
    refuse,
    repeat,
    sleep,
    step,
    task,
    wait,
)

__all__ = ["CONTEXTS", "SAGAS", "AtCall", "Drawn", "File", "Heard", "Quiet", "SentWork", "Task", "world"]

T = TypeVar("T")

TWICE = Retry(attempts=2, first=timedelta(milliseconds=1), factor=1, jitter=0)


class World:
    """What misdeeds need to know, and no message can tell: the runtime they happen in."""

    runtime: Runtime | None = None
    called: ContextVar[str] = ContextVar("called", default="")


world = World()


# --- messages ---


@dataclass(frozen=True, slots=True)
class Task:
    """The input of every saga: what happens, and at which hook."""

    hook: str
    deed: str
    id: str = ""
    note: str = ""
    amount: float = 0.0
    numbers: list[int] = field(default_factory=lambda: [1, 2])
    tree: Tree | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is answered."""

    note: str = "done"
    amount: float = 1.5
    numbers: list[int] = field(default_factory=lambda: [1, 2])
    tree: Tree | None = None


@dataclass(frozen=True, slots=True)
class Work(Command[Receipt]):
    """Handled by the context."""

    hook: str
    deed: str
    id: str
    note: str = ""
    amount: float = 0.0
    numbers: list[int] = field(default_factory=lambda: [1, 2])
    tree: Tree | None = None


@dataclass(frozen=True, slots=True)
class Unwork(Command[Receipt]):
    """Takes `Work` back."""

    hook: str
    deed: str
    id: str
    note: str = ""
    amount: float = 0.0
    numbers: list[int] = field(default_factory=lambda: [1, 2])
    tree: Tree | None = None


@dataclass(frozen=True, slots=True)
class SentWork(Command[Receipt]):
    """Sent by the application."""

    hook: str
    deed: str
    id: str
    numbers: list[int] = field(default_factory=lambda: [1, 2])


@dataclass(frozen=True, slots=True)
class Prepare(Command[None]):
    """The effect that must be there once, or taken back once."""

    id: str


@dataclass(frozen=True, slots=True)
class Unprepare(Command[None]):
    """Takes it back."""

    id: str


@dataclass(frozen=True, slots=True)
class File(Command[None]):
    """Handled by the context that never misbehaves."""

    id: str


@dataclass(frozen=True, slots=True)
class Dial(Command[Receipt]):
    """Handled by the gateway that makes one call at a time."""

    hook: str
    deed: str
    id: str
    numbers: list[int] = field(default_factory=lambda: [1, 2])


@dataclass(frozen=True, slots=True)
class DialPooled(Command[Receipt]):
    """Handled by the gateway with threads."""

    hook: str
    deed: str
    id: str
    numbers: list[int] = field(default_factory=lambda: [1, 2])


@dataclass(frozen=True, slots=True)
class DialAsync(Command[Receipt]):
    """Handled by the gateway with an event loop, one at a time."""

    hook: str
    deed: str
    id: str
    numbers: list[int] = field(default_factory=lambda: [1, 2])


@dataclass(frozen=True, slots=True)
class DialTogether(Command[Receipt]):
    """Handled by the gateway with an event loop, several at a time."""

    hook: str
    deed: str
    id: str
    numbers: list[int] = field(default_factory=lambda: [1, 2])


@dataclass(frozen=True, slots=True)
class SentDial(Command[Receipt]):
    """Sent to a gateway by the application."""

    hook: str
    deed: str
    id: str
    numbers: list[int] = field(default_factory=lambda: [1, 2])


@dataclass(frozen=True, slots=True)
class HangUp(Command[None]):
    """Takes a call back, known or not."""

    id: str


@dataclass(frozen=True, slots=True)
class Ask(Command[Receipt]):
    """Answered by a saga."""

    hook: str
    deed: str
    id: str


@dataclass(frozen=True, slots=True)
class Drawn(Event):
    """What sagas wait for."""

    id: Key[str]
    note: str = ""
    amount: float = 0.0
    numbers: list[int] = field(default_factory=lambda: [1, 2])
    tree: Tree | None = None


@dataclass(frozen=True, slots=True)
class Heard(Event):
    """What is listened to."""

    hook: str
    deed: str
    id: str
    numbers: list[int] = field(default_factory=lambda: [1, 2])


def meet(hook: str, message: Any, good: Callable[[], T], context: Context | None = None) -> T:
    """Do here what `message` says is to be done at this hook: mostly what is right."""
    if message.hook != hook:
        return good()
    place = Place(hook, good, (message,), context, world.runtime)
    done: T = DEEDS[message.deed].act(place)
    return done


# --- participants ---

books = Migrations("office")


@books()
def tables(db: Database) -> None:
    db.execute("CREATE TABLE effects (id TEXT NOT NULL, what TEXT NOT NULL)")
    db.execute("CREATE TABLE notes (note TEXT)")
    db.execute("CREATE TABLE once (n INTEGER PRIMARY KEY)")
    db.execute("CREATE TABLE child (n INTEGER REFERENCES once (n) DEFERRABLE INITIALLY DEFERRED)")


class Office(Context):
    """Does the work, and writes down what it has done."""

    migrations = books

    def enter(self, id: str, what: str) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, ?)", [id, what])

    @Prepare.handler
    def prepare(self, command: Prepare) -> None:
        self.enter(command.id, "prepare")

    @Unprepare.handler
    def unprepare(self, command: Unprepare) -> None:
        self.enter(command.id, "unprepare")

    @Work.handler
    def work(self, command: Work) -> Receipt:
        self.enter(command.id, "work")
        return meet("context-handler", command, Receipt, self)

    @Unwork.handler
    def unwork(self, command: Unwork) -> Receipt:
        self.enter(command.id, "unwork")
        return meet("compensation-handler", command, Receipt, self)

    @SentWork.handler
    def sent_work(self, command: SentWork) -> Receipt:
        self.enter(command.id, "sent")
        return meet("context-send", command, Receipt, self)


class Press(Context):
    """Listens."""

    migrations = books

    @Heard.listener
    def hear(self, event: Heard) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, 'heard')", [event.id])
        return meet("listener", event, lambda: None, self)


class Archive(Context):
    """Never misbehaves."""

    migrations = books

    @File.handler
    def file(self, command: File) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, 'file')", [command.id])

    @HangUp.handler
    def hang_up(self, command: HangUp) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, 'hang up')", [command.id])


class Single(Gateway, context=Office):
    """One call at a time, on the thread of its actor."""

    @Dial.handler
    def dial(self, command: Dial) -> Receipt:
        return meet("gateway", command, Receipt)

    @SentDial.handler
    def sent_dial(self, command: SentDial) -> Receipt:
        return meet("gateway-send", command, Receipt)


class Pooled(Gateway):
    """Several at a time, each in a thread."""

    concurrency = 3

    @DialPooled.handler
    def dial(self, command: DialPooled) -> Receipt:
        return meet("gateway-pool", command, Receipt)


class Looped(Gateway):
    """One at a time, in an event loop."""

    @DialAsync.handler
    async def dial(self, command: DialAsync) -> Receipt:
        return meet("gateway-async", command, Receipt)


class Together(Gateway):
    """Several at a time, in an event loop."""

    concurrency = 3

    @DialTogether.handler
    async def dial(self, command: DialTogether) -> Receipt:
        return meet("gateway-async-concurrent", command, Receipt)


CONTEXTS: list[Any] = [Office, Press, Archive, Single, Pooled, Looped, Together]


# --- sagas ---


def _work(task: Task) -> Work:
    return Work(task.hook, task.deed, task.id)


def _unwork(task: Task) -> Unwork:
    return Unwork(task.hook, task.deed, task.id)


class Quiet(Saga[Task]):
    """Whatever else happens: this one files, and knows nobody who misbehaves."""

    @step()
    def file(self) -> File:
        return File(self.id)

    flow = file


class AtContext(Saga[Task]):
    """The handler of a context misbehaves, or that of the compensation, for want of a way on."""

    @step()
    def prepare(self) -> Prepare:
        return Prepare(self.id)

    @prepare.compensation
    def unprepare(self) -> Unprepare:
        return Unprepare(self.id)

    @step(retry=TWICE)
    def work(self) -> Work:
        return _work(self.input)

    @work.compensation
    def unwork(self) -> Unwork:
        return _unwork(self.input)

    @condition
    def turns_back(self) -> bool:
        return self.input.hook == "compensation-handler"

    flow = (prepare, work, choice((turns_back, refuse("no", code="no"))))


class AtGateway(Saga[Task]):
    """The handler of a gateway misbehaves; it has a way back for what it does not know."""

    @step()
    def prepare(self) -> Prepare:
        return Prepare(self.id)

    @prepare.compensation
    def unprepare(self) -> Unprepare:
        return Unprepare(self.id)

    @condition
    def is_single(self) -> bool:
        return self.input.hook == "gateway"

    @condition
    def is_pooled(self) -> bool:
        return self.input.hook == "gateway-pool"

    @condition
    def is_looped(self) -> bool:
        return self.input.hook == "gateway-async"

    @step(retry=TWICE)
    def single(self) -> Dial:
        return Dial(self.input.hook, self.input.deed, self.id)

    @single.compensation
    def unsingle(self, receipt: Receipt | None) -> HangUp:
        return HangUp(self.id)

    @step(retry=TWICE)
    def pooled(self) -> DialPooled:
        return DialPooled(self.input.hook, self.input.deed, self.id)

    @pooled.compensation
    def unpooled(self, receipt: Receipt | None) -> HangUp:
        return HangUp(self.id)

    @step(retry=TWICE)
    def looped(self) -> DialAsync:
        return DialAsync(self.input.hook, self.input.deed, self.id)

    @looped.compensation
    def unlooped(self, receipt: Receipt | None) -> HangUp:
        return HangUp(self.id)

    @step(retry=TWICE)
    def together(self) -> DialTogether:
        return DialTogether(self.input.hook, self.input.deed, self.id)

    @together.compensation
    def untogether(self, receipt: Receipt | None) -> HangUp:
        return HangUp(self.id)

    flow = (
        prepare,
        choice((is_single, single), (is_pooled, pooled), (is_looped, looped), otherwise=together),
    )


class AtStep(Saga[Task]):
    """The function of a step."""

    @step()
    def prepare(self) -> Prepare:
        return Prepare(self.id)

    @prepare.compensation
    def unprepare(self) -> Unprepare:
        return Unprepare(self.id)

    @step()
    def faulty(self) -> Work:
        return meet("step", self.input, lambda: _work(self.input))

    flow = (prepare, faulty)


class AtCompensation(Saga[Task]):
    """The function of a compensation."""

    @step()
    def work(self) -> Work:
        return _work(self.input)

    @work.compensation
    def faulty(self) -> Unwork:
        return meet("compensation", self.input, lambda: _unwork(self.input))

    flow = (work, refuse("no", code="no"))


class AtWait(Saga[Task]):
    """The key of a wait."""

    @publish
    def draw(self) -> Drawn:
        return Drawn(self.id)

    @wait(Drawn)
    def faulty(self) -> str:
        return meet("wait-key", self.input, lambda: self.id)

    flow = (draw, faulty)


class AtSleep(Saga[Task]):
    """How long to sleep."""

    @sleep
    def faulty(self) -> timedelta:
        return meet("sleep", self.input, lambda: timedelta(seconds=1))

    flow = faulty


class AtCondition(Saga[Task]):
    """Which way to go."""

    @condition
    def faulty(self) -> bool:
        return meet("condition", self.input, lambda: True)

    @step()
    def file(self) -> File:
        return File(self.id)

    flow = choice((faulty, file))


class AtUntil(Saga[Task]):
    """Whether to repeat."""

    @step()
    def file(self) -> File:
        return File(self.id)

    @condition
    def faulty(self) -> bool:
        return meet("until", self.input, lambda: True)

    flow = repeat(file, until=faulty, at_most=3)


class AtAnswer(Saga[Task]):
    """What is answered."""

    @answer
    def faulty(self) -> Receipt:
        return meet("answer", self.input, Receipt)

    flow = faulty


class AtTask(Saga[Task]):
    """What a person is shown."""

    @task(within=timedelta(seconds=1), otherwise=())
    def faulty(self) -> Receipt:
        return meet("task-subject", self.input, Receipt)

    flow = faulty


class AtPublish(Saga[Task]):
    """What is published."""

    @publish
    def faulty(self) -> Drawn:
        return meet("publish", self.input, lambda: Drawn(self.id))

    flow = faulty


class AtItems(Saga[Task]):
    """For which items."""

    @items
    def faulty(self) -> list[str]:
        return meet("items", self.input, lambda: ["a", "b"])

    @step()
    def file(self, item: str) -> File:
        return File(f"{self.id}-{item}")

    flow = each(faulty, file, concurrency=2)


class AtItemStep(Saga[Task]):
    """Of the two items one misbehaves."""

    @items
    def things(self) -> list[str]:
        return ["a", "b"]

    @step()
    def faulty(self, item: str) -> File:
        if item == "a":
            return File(f"{self.id}-a")
        return meet("item-step", self.input, lambda: File(f"{self.id}-b"))

    flow = each(things, faulty, concurrency=2)


class AtCall(Saga[Task]):
    """The input of the saga that it calls."""

    @call(Quiet)
    def faulty(self) -> Task:
        return meet("call-input", self.input, lambda: Task("nobody", "none", self.id))

    flow = faulty


class AtChild(Saga[Task]):
    """The saga that it calls misbehaves."""

    @call(AtStep)
    def child(self) -> Task:
        return Task("step", self.input.deed, f"{self.id}-child")

    flow = child


class Answering(Saga[Ask], context=Office):
    """Answers a command, and misbehaves."""

    @answer
    def faulty(self) -> Receipt:
        return meet("answering-saga", self.input, Receipt)

    flow = faulty


class AtAnswering(Saga[Task]):
    """The saga that answers its command misbehaves."""

    @step(retry=TWICE)
    def ask(self) -> Ask:
        return Ask(self.input.hook, self.input.deed, self.id)

    flow = ask


SAGAS: list[Any] = [
    Quiet,
    AtContext,
    AtGateway,
    AtStep,
    AtCompensation,
    AtWait,
    AtSleep,
    AtCondition,
    AtUntil,
    AtAnswer,
    AtTask,
    AtPublish,
    AtItems,
    AtItemStep,
    AtCall,
    AtChild,
    Answering,
    AtAnswering,
]
