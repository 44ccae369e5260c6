"""Runs: a random flow in a random world, from its start to its end, checked all the way.

First everything may go wrong. Then nothing does any more, the operator does what is asked of him, and the
saga must come to its end. At last everything that is still on its way arrives, and must change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from msgspec import Raw

from reliability.model.invariants import (
    Violation,
    check_journal,
    hold,
    what_happened_is_what_was_journaled,
)
from reliability.model.order import what_was_done_is_undone_in_reverse
from reliability.model.tokens import check_tokens
from saga.machine import Status, Stimulus, Unfitting, decide, decode_records, encode_records, pending
from saga.machine import records as r
from saga.machine import stimuli as s

from .callers import check_callers
from .flows import EVENTS, has_pivot, random_flow
from .knowledge import check_known
from .participants import ID, Message, Rules
from .schedule import check_timed
from .world import Happening, Instance, World

__all__ = ["Run", "a_run"]

EVERYBODY = ("context-1", "gateway-1", "context-2", "gateway-2")


def a_run(rng: Random, size: int, rules: Rules = Rules(), steps: int = 120) -> Run:  # noqa: B008
    """Run a random flow of about `size` leaves to its end. Raises Violation, with the whole story."""
    flow = random_flow(rng, size)
    deadline = 400 if not has_pivot(flow) and rng.randrange(6) == 5 else None
    run = Run(rng, flow, rules, deadline)
    run.run(rng.randrange(steps))
    return run


class Run(World):
    """A world in which things happen by chance."""

    def run(self, steps: int) -> None:
        """Let `steps` things happen, come to the end, and check everything. Raises Violation."""
        try:
            at = self.now + 50 if self.chance(8) else 0
            self.commit((ID, s.Start(ID, "Trip/1", Raw(b"{}"), ID, at=at)))
            for _ in range(steps):
                if self.over:
                    break
                self.step()
            self.finish()
            self._reverse_it()
            self.clear_up()
            self._check_it_all()
        except (Violation, Unfitting, AssertionError, KeyError, ValueError) as error:
            story = [repr(error), *self.story, f"flow: {self.flow!r}", repr(error)]
            raise Violation("\n".join(story)) from error

    def _reverse_it(self) -> None:
        """It has completed, and whoever has called it is undone."""
        root = self.root.live
        if root.ended is Status.COMPLETED and not root.pivoted and self.chance(4):
            self.commit((ID, s.Reverse("caller.1~1")))
            if self.root.live.ended is Status.COMPLETED:  # a crash came before
                self.commit((ID, s.Reverse("caller.1~1")))
            self.finish()

    def _check_it_all(self) -> None:
        did = self.participants
        for saga in self.sagas.values():
            check_journal(saga.written)
            what_was_done_is_undone_in_reverse(saga.written)
            check_tokens(saga.graph, map(decode_records, saga.rows))
            check_timed(saga.graph, saga.written, saga.times)
            check_known(saga.graph, saga.written, saga.live)
            what_happened_is_what_was_journaled(saga.written, saga.id, did.effects, did.undone)
        check_callers({id: (saga.graph, saga.written, saga.live) for id, saga in self.sagas.items()})

    def any_saga(self) -> Instance:
        """Return a saga that is not over, mostly the one that called the others."""
        alive = self.alive()
        return alive[self.below(len(alive))]

    # --- anything may happen ------------------------------------------------------------------------

    def step(self) -> None:
        """One thing happens."""
        calls, suspended = self.participants.calls, [each for each in self.alive() if each.live.suspended]
        doings: list[Callable[[], None]] = []
        doings += [lambda: self.commit(*self._some_replies(3))] * (6 * bool(self.replies))
        doings += [self._deliver_some] * (6 * bool(self.mail))
        doings += [lambda: self.participants.end_call(calls[self.below(len(calls))])] * (4 * bool(calls))
        doings += [self._fire] * (4 * bool(self.due()))
        doings += [self._tick, self._publish, self._operate, self._disturb, self._noise]
        doings += [self._decide] * (2 * any(each.outside.tasks for each in self.alive()))
        doings += [lambda: self.commit((suspended[0].id, s.Resume("go on")))] * (4 * bool(suspended))
        doings[self.below(len(doings))]()

    def _some_replies(self, most: int) -> list[Happening]:
        """Take some of what has been told; some of it will come again."""
        taken: list[Happening] = []
        for _ in range(1 + self.below(most)):
            if self.replies:
                reply = self.replies[self.below(len(self.replies))]
                once = self.sender(reply).startswith("gateway")
                if once or not self.chance(6):
                    self.replies.remove(reply)
                taken.append(reply)
        return taken

    def _fire(self) -> None:
        due = self.due()[: 1 + self.below(2)]
        self.commit(*due, *(self._some_replies(2) if self.chance(3) else ()))

    def _pick(self) -> Message:
        """Any message; but of those of one command to a gateway, the first."""
        message = self.mail[self.below(len(self.mail))]
        if message.sent.to.startswith("gateway"):
            message = next(other for other in self.mail if other.id == message.id)
        return message

    def _deliver_some(self) -> None:
        message = self._pick()
        if not message.sent.to.startswith("gateway") and self.chance(6):
            self.mail.append(Message(message.kind, message.saga, message.path, message.sent, message.fresh))
        self.deliver(message)

    def _tick(self) -> None:
        """The clock moves on, to the next timer or a little; now and then nobody was there for a long time."""
        coming = [due for due, *_ in self.timers() if due > self.now]
        if self.chance(12):
            self.now += 100 + self.below(400)
        else:
            self.now = min(coming) if coming and self.chance(3) else self.now + 1 + self.below(30)

    def _publish(self) -> None:
        """One event, or several at once."""
        events: list[Happening] = []
        for _ in range(1 + self.below(3)):
            events += self.publish(f"{EVENTS[self.below(2)]}/1")
        if events:
            self.commit(*events)

    def _decide(self) -> None:
        """A person decides a task, or says who is to; several at once now and then."""
        tasks = [(saga.id, path) for saga in self.alive() for path in saga.outside.tasks]
        happened: list[Happening] = []
        for _ in range(1 + self.below(2)):
            id, path = tasks[self.below(len(tasks))]
            if self.chance(4):
                happened.append((id, s.Assign("ann", "bob", path)))
            else:
                happened.append((id, self._decision(path)))
        self.commit(*happened)

    def _decision(self, path: str) -> Stimulus:
        return s.Decide(Raw(f'"decided {path} at {self.now}"'.encode()), "ann", path)

    def _operate(self) -> None:
        """An operator does something, sensible or not."""
        saga = self.any_saga()
        paths = list(saga.outside.incidents) or [""]
        path = paths[self.below(len(paths))]
        actions: list[Stimulus] = [
            s.Retry("again", path),
            s.Resume("go on"),
            s.Skip("not needed", path),
            s.MarkDone("did it myself", Raw(b'"by hand"'), path),
            s.Suspend("stop"),
        ]
        if self.chance(4):
            actions += [s.Cancel("enough"), s.Cancel("enough"), s.GiveUp("enough of it")]
        self._act(saga, actions[self.below(len(actions))])

    def _act(self, saga: Instance, action: Stimulus) -> None:
        self.tell(f"operator of {saga.id}: {action}")
        before = self._some_replies(2) if self.chance(3) else ()
        self.commit(*before, (saga.id, action), *(self._some_replies(2) if self.chance(3) else ()))

    def _disturb(self) -> None:
        participant = EVERYBODY[self.below(4)]
        doing = self.below(3)
        if doing == 0:
            self.restart(participant)
        elif participant in self.down:
            self.bring_up(participant)
        elif doing == 1:
            self.take_down(participant)
        else:
            self.crash()

    def _noise(self) -> None:
        """Something that means nothing: early, late, or for nobody. It changes nothing."""
        sagas = list(self.sagas.values())
        saga = sagas[self.below(len(sagas))]
        kinds = r.CommandSent | r.WaitBegun | r.TaskOpened | r.RaceBegun | r.ScopeEntered | r.SleepBegun
        paths = [record.path for record in saga.written if isinstance(record, kinds)]
        gone = [path for path in paths if path not in saga.live.visits and path not in saga.live.scopes]
        path = (gone or ["nobody.1"])[self.below(len(gone) or 1)]
        noise: list[Stimulus] = [
            s.TimerFired(path, "deadline"),
            s.TimerFired(path, "remind"),
            s.EventArrived(path, f"event-{1 + self.below(3)}", Raw(b"{}")),
            s.Resolved(path, "done"),
            s.Failed(path, "late"),
            s.Completed(path, Raw(b"null")),
        ]
        early = [name.split("|") for name, due in saga.outside.timers.items() if due > self.now]
        if early:
            noise.append(s.TimerFired(*early[self.below(len(early))]))
        self._changes_nothing(saga, noise[self.below(len(noise))])

    def _changes_nothing(self, saga: Instance, stimulus: Stimulus) -> None:
        outside = pending(saga.live)
        self.here = saga
        saga.state, records = decide(saga.graph, saga.state, stimulus, self.now, self)
        if isinstance(stimulus, s.TimerFired):
            hold(not records, f"{stimulus} left {records}")
        hold(
            all(isinstance(record, r.Ignored | r.Held) for record in records), f"{stimulus} led to {records}"
        )
        hold(pending(saga.live) == outside, f"{stimulus} changed what is outside")
        rows = [encode_records(records)] if records else []
        saga.rows += rows
        self._check({saga.id: rows})

    # --- all goes well ------------------------------------------------------------------------------

    def finish(self, steps: int = 20_000) -> None:
        """The saga comes to its end, or it is in limbo."""
        self.tell("--- from here on all goes well")
        self.trouble = 0
        for participant in sorted(self.down):
            self.bring_up(participant)
        tries: Counter[str] = Counter()
        for _ in range(steps):
            if self.over:
                return
            self._go_on(tries)
        raise Violation("it does not come to an end")

    def _go_on(self, tries: Counter[str]) -> None:
        mostly = not self.chance(8)
        suspended = [saga for saga in self.alive() if saga.live.suspended]
        if suspended:
            self.commit((suspended[0].id, s.Resume("go on")))
        elif self.replies:
            self.commit(self.replies.pop(0))
        elif self.mail:
            self.deliver(self._pick(), well=mostly)
        elif self.participants.calls:
            self.participants.end_call(self.participants.calls[0], well=mostly)
        elif self.incidents():
            id, path, _ = self.incidents()[0]
            saga = self.sagas[id]
            element = saga.live.visits[path].element
            tries[element] += 1
            skips = tries[element] >= 5 and tries[element] % 2  # not everything can be skipped
            again = s.Skip("enough of it", path) if skips else s.Retry("again", path)
            self._act(saga, again)
        elif due := self.due():
            self.commit(due[0])
        else:
            self._wait_for_something()

    def _wait_for_something(self) -> None:
        """A person decides, an event comes, or time goes by."""
        tasks = [(saga.id, path) for saga in self.alive() for path in saga.outside.tasks]
        timers = self.timers()
        if tasks and not (timers and self.chance(2)):
            self.commit((tasks[0][0], self._decision(tasks[0][1])))
        elif (event := self._awaited(beside=self.chance(6))) and not (timers and self.chance(2)):
            self.commit(*self.publish(event))
        elif timers:
            self.now = timers[0][0]
        elif event := self._awaited(beside=True):
            self.commit(*self.publish(event))
        else:
            raise Violation(f"in limbo: {[(saga.id, saga.outside) for saga in self.alive()]}")

    def _awaited(self, *, beside: bool) -> str:
        """Return an event that is waited for; `beside`: perhaps as a boundary event, which then is waited for again."""
        for saga in self.alive():
            for path, (event, _) in saga.outside.waits.items():
                if beside or not saga.live.visits[path].host:
                    return event
        return ""

    def clear_up(self) -> None:
        """It is over. What is still on its way arrives."""
        while self.mail or self.participants.calls or self.replies:
            if self.mail:
                self.deliver(self._pick())
            elif self.participants.calls:
                self.participants.end_call(self.participants.calls[0])
            else:
                id, reply = self.replies.pop()
                if not isinstance(reply, s.Retry):
                    self._changes_nothing(self.sagas[id], reply)
        self._noise()
