"""What the application and the operators ask for, and what they were told: that must be true for ever.

A request that was not answered when the process ended is made again, with the same id, by whoever made it; one that was
answered is remembered, and held against the files after each crash.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from reliability.journals.invariants import Violation, hold
from reliability.sim.business import EVENTS, FLOWS, Do, Job, Nightly, Post
from saga.codec import codec_for
from saga.coordination import requests as q
from saga.coordination.cron import Recurrence
from saga.coordination.envelopes import Direct
from saga.coordination.evaluation import key_text
from saga.coordination.outcome import Completion, Outcome
from saga.coordination.schedules import new_row
from saga.errors import NotAllowed, SagaConflict, ScheduleConflict, UnknownSaga
from saga.machine import Stimulus
from saga.machine import stimuli as s
from saga.machine.state import Phase
from saga.messages import type_name

if TYPE_CHECKING:
    from reliability.sim.plan import Entry
    from reliability.sim.world import World

__all__ = ["Application"]

REFUSALS = (NotAllowed, UnknownSaga, SagaConflict, ScheduleConflict)
RUN = "0 3 * * *"


@dataclass(eq=False)
class _Request:
    """Something that was asked for. `make` makes the message, to be posted to `to`, anew for each life."""

    entry: Entry
    to: str
    make: Callable[[Future[Any]], object]
    check: Callable[[Any], None] = lambda result: None
    """Called with the result when it is answered, and after each crash: raises Violation when it is not true."""
    again: bool = True
    """It is made again when nobody knows what became of it."""
    reply: Future[Any] | None = None
    answered: bool = False
    result: Any = None


@dataclass(eq=False)
class Application:
    """Whoever uses the runtime."""

    world: World
    requests: list[_Request] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    """Saga → status that was announced."""
    completions: list[Completion] = field(default_factory=list)
    direct: dict[str, tuple[str, object, str]] = field(default_factory=dict)
    """What the application has sent itself → how it was answered."""

    # --- asking -----------------------------------------------------------------------------------

    def take(self, entry: Entry) -> None:
        """Do what the plan says."""
        kind = entry.kind
        if kind in ("start", "conflict"):
            self._start(entry)
        elif kind == "publish":
            self._publish(entry)
        elif kind == "send":
            self._send(entry)
        elif kind == "schedule":
            self._schedule(entry)
        elif kind == "unschedule":
            self._ask(_Request(entry, "coordinator", lambda reply: q.DropSchedule(entry.who, reply)))
        else:
            self._act(entry)

    def _ask(self, request: _Request) -> None:
        self.requests.append(request)
        self._post(request)

    def _post(self, request: _Request) -> None:
        life = self.world.life
        reply: Future[Any] = Future()
        request.reply = reply
        if life is None or not life.opened:
            request.reply = None  # the runtime is not open: it is asked when it is
            return
        life.boxes[request.to].post(request.make(reply))
        if request.to in life.down:
            life.refuse_direct(request.to)

    def _start(self, entry: Entry) -> None:
        world, id = self.world, entry.who
        job = Job(id if entry.kind == "start" else f"{id}-other")
        codec = codec_for(Job)
        at = entry.n + world.begins if entry.n else 0

        def make(reply: Future[Any]) -> object:
            assert world.life is not None
            definition = world.life.definitions.of(FLOWS[entry.what])
            data, twin = codec.roundtrip(job)
            return q.StartSagas([q.Start(definition, id, Raw(data), twin, {"flow": entry.what}, at)], reply)

        def check(result: Any) -> None:
            if entry.kind == "conflict" and not isinstance(result, SagaConflict):
                return  # it was the first
            if not isinstance(result, BaseException):
                hold(id in world.truth.by_id, f"I12: the start of {id} was acknowledged, and it is not there")

        if entry.kind == "conflict" and id not in world.truth.by_id:
            return
        self._ask(_Request(entry, "coordinator", make, check))

    def _publish(self, entry: Entry) -> None:
        event = EVENTS[entry.what](entry.who)
        codec = codec_for(type(event))
        data, _ = codec.roundtrip(event)
        event_id = f"runtime:{entry.what}-{entry.who}-{entry.n}"

        def make(reply: Future[Any]) -> object:
            key = key_text(event.key)
            return q.Publish(event_id, codec.name, key, Raw(data), event_id, reply)

        def check(result: Any) -> None:
            if isinstance(result, bool):
                there = event_id in self.world.truth.events
                hold(there, f"I12: {event_id} was acknowledged, and is not in the log")

        self._ask(_Request(entry, "coordinator", make, check))

    def _send(self, entry: Entry) -> None:
        """The application sends a command itself, perhaps twice."""
        kind = Do if entry.what == "Do" else Post
        command: Do | Post = kind("direct", entry.who)
        codec = codec_for(type(command))
        data, twin = codec.roundtrip(command)
        id, to = f"send:{entry.who}", "stock" if kind is Do else "letters"

        def make(reply: Future[Any]) -> object:
            def answer(outcome: str, value: object, reason: str, code: str) -> None:
                if not reply.done():
                    reply.set_result((outcome, value, reason))

            return Direct(id, type_name(kind), Raw(data), twin, answer)

        def check(result: Any) -> None:
            if isinstance(result, BaseException) or result[0] == "failed":
                return
            first = self.direct.setdefault(id, result)
            hold(to != "stock" or first == result, f"{id} was answered {first}, and then {result}")
            if to == "stock":
                known = self.world.truth.inboxes["stock"].get(id)
                hold(known == result[0], f"I12: {id} was answered {result[0]}, and in stock it is {known}")

        self._ask(_Request(entry, to, make, check))

    def _schedule(self, entry: Entry) -> None:
        world = self.world

        def make(reply: Future[Any]) -> object:
            assert world.life is not None
            definition = world.life.definitions.of(Nightly)
            data, _ = codec_for(Job).roundtrip(Job("nightly"))
            row = new_row(definition, entry.who, data, {}, RUN, "UTC", entry.what, "allow")
            return q.SetSchedule(row, Recurrence(RUN, "UTC"), False, reply)

        self._ask(_Request(entry, "coordinator", make))

    def _act(self, entry: Entry) -> None:
        world, id, kind = self.world, entry.who, entry.kind
        stimulus = self.stimulus(entry)
        seen = world.truth.by_id.get(id)
        before = 0 if seen is None else len(seen.acted)

        def check(result: Any) -> None:
            if isinstance(result, BaseException):
                return
            seen = world.truth.by_id[id]
            if kind == "cancel":
                hold(seen.turned or seen.ended, f"I12: the cancel of {id} was acknowledged, and is lost")
            elif kind not in ("task", "assign"):
                hold(len(seen.acted) > before, f"I12: the {kind} of {id} was acknowledged, and is lost")

        def make(reply: Future[Any]) -> object:
            return q.Act(id, kind, stimulus, reply)

        self._ask(_Request(entry, "coordinator", make, check, again=kind in ("cancel", "resume")))

    def stimulus(self, entry: Entry) -> Stimulus | Callable[[Any], Stimulus]:
        """Return what an operator's action is to the saga; which visit it is about is seen when it is at hand."""
        match entry.kind:
            case "cancel":
                return s.Cancel("enough")
            case "suspend":
                return s.Suspend("wait")
            case "resume":
                return s.Resume("go on")
            case _:
                pass

        def make(instance: Any) -> Stimulus:
            phase = Phase.TASK if entry.kind in ("task", "assign") else Phase.PARKED
            visits = instance.state.visits
            path = min((path for path in visits if visits[path].phase is phase), default="nothing.1")
            match entry.kind:
                case "retry":
                    return s.Retry("again", path)
                case "skip":
                    return s.Skip("without it", path)
                case "assign":
                    return s.Assign("ann", "bob", path)
                case "task":
                    instance.author.forget(path.rpartition("/")[2].rpartition(".")[0])
                    return s.Decide(Raw(b"true" if entry.n == 0 else b"false"), "ann", path)
                case _:
                    return s.MarkDone("by hand", self._answer_to(visits.get(path)), path)

        return make

    def _answer_to(self, visit: Any) -> Raw:
        """Return an answer of the type that the command is answered with."""
        if visit is None or visit.sent is None or visit.undoes is not None:
            return Raw(b"null")
        return Raw(b"0" if visit.sent.type in ("Do/1", "Job/1") else b'"by hand"')

    # --- being told -------------------------------------------------------------------------------

    def look(self) -> None:
        """See what was answered and announced since."""
        for request in self.requests:
            reply = request.reply
            if not request.answered and reply is not None and reply.done():
                self._answered(request, reply)
        for completion in self.completions:
            outcome = completion.outcome
            if isinstance(outcome, Outcome) and completion.saga_id not in self.ended:
                self._ended(completion.saga_id, outcome)

    def _answered(self, request: _Request, reply: Future[Any]) -> None:
        error = reply.exception()
        if error is not None and not isinstance(error, REFUSALS):
            raise Violation(f"{request.entry.kind} of {request.entry.who}: {type(error).__name__}: {error}")
        request.answered, request.result = True, error if error is not None else reply.result()
        if isinstance(request.result, list):  # of a start: where its end is announced
            self.completions += request.result
            request.result = True
        request.check(request.result)

    def _ended(self, id: str, outcome: Outcome) -> None:
        self.ended[id] = outcome.status.value
        seen = self.world.truth.by_id[id]
        if seen.ended != outcome.status.value:
            raise Violation(
                f"{id} was announced as {outcome.status.value}, and is {seen.ended or 'not over'}"
            )

    def crashed(self) -> None:
        """The process has ended: what was promised must be there."""
        self.look()
        self.completions.clear()
        for request in self.requests:
            if request.answered:
                request.check(request.result)
            elif request.reply is not None and not request.again:
                request.answered, request.result = True, UnknownSaga("whatever became of it")
            else:
                request.reply = None
        for id, status in self.ended.items():
            now = self.world.truth.by_id[id].ended
            if now != status:
                raise Violation(f"I6: {id} was announced as {status}, and is {now or 'not over'}")

    def opened(self) -> None:
        """The runtime is open (again): ask what was not answered."""
        for request in self.requests:
            if not request.answered and request.reply is None:
                self._post(request)
