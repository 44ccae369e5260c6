"""Runs: a random flow in a random world, from its start to its end, checked all the way.

First everything may go wrong. Then nothing does any more, the operator does what is asked of him, and the
saga must come to its end. At last everything that is still on its way arrives, and must change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from msgspec import Raw

from saga.machine import Stimulus, Unfitting, decide, encode_records, pending
from saga.machine import records as r
from saga.machine import stimuli as s

from .flows import random_flow
from .invariants import Violation, check_journal, hold, what_happened_is_what_was_journaled
from .participants import ID, Message, Rules
from .world import World

__all__ = ["Run", "a_run"]

EVERYBODY = ("context-1", "gateway-1", "context-2", "gateway-2")


def a_run(rng: Random, size: int, rules: Rules = Rules(), steps: int = 120) -> Run:  # noqa: B008
    """Run a random flow of about `size` leaves to its end. Raises Violation, with the whole story."""
    run = Run(rng, random_flow(rng, size), rules)
    run.run(rng.randrange(steps))
    return run


class Run(World):
    """A world in which things happen by chance."""

    def run(self, steps: int) -> None:
        """Let `steps` things happen, come to the end, and check everything. Raises Violation."""
        try:
            at = self.now + 50 if self.chance(8) else 0
            self.commit(s.Start(ID, "Trip/1", Raw(b"{}"), ID, at=at))
            for _ in range(steps):
                if self.over:
                    break
                self.step()
            self.finish()
            self.clear_up()
            check_journal(self.written)
            did = self.participants
            what_happened_is_what_was_journaled(self.written, ID, did.effects, did.undone)
        except (Violation, Unfitting, AssertionError, KeyError, ValueError) as error:
            story = [repr(error), *self.story, f"flow: {self.flow!r}", repr(error)]
            raise Violation("\n".join(story)) from error

    # --- anything may happen ------------------------------------------------------------------------

    def step(self) -> None:
        """One thing happens."""
        calls = self.participants.calls
        doings: list[Callable[[], None]] = []
        doings += [lambda: self.commit(*self._some_replies(3))] * (6 * bool(self.replies))
        doings += [self._deliver_some] * (6 * bool(self.mail))
        doings += [lambda: self.participants.end_call(calls[self.below(len(calls))])] * (4 * bool(calls))
        doings += [self._fire] * (4 * bool(self.due()))
        doings += [self._tick, self._publish, self._operate, self._disturb, self._noise]
        doings += [lambda: self.commit(s.Resume("go on"))] * (4 * self.live.suspended)
        doings[self.below(len(doings))]()

    def _some_replies(self, most: int) -> list[Stimulus]:
        """Take some of what has been told; some of it will come again."""
        taken: list[Stimulus] = []
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
            self.mail.append(Message(message.kind, message.path, message.sent, message.fresh))
        self.deliver(message)

    def _tick(self) -> None:
        """The clock moves on, to the next timer or a little."""
        coming = [due for due in self.outside.timers.values() if due > self.now]
        self.now = min(coming) if coming and self.chance(3) else self.now + 1 + self.below(30)

    def _publish(self) -> None:
        events = self.publish(("paid/1", "fetched/1")[self.below(2)])
        if events:
            self.commit(*events)

    def _operate(self) -> None:
        """An operator does something, sensible or not."""
        paths = list(self.outside.incidents) or [""]
        path = paths[self.below(len(paths))]
        actions: list[Stimulus] = [
            s.Retry("again", path),
            s.Resume("go on"),
            s.Skip("not needed", path),
            s.MarkDone("did it myself", Raw(b'"by hand"'), path),
            s.Suspend("stop"),
        ]
        if self.chance(4):
            actions.append(s.Cancel("enough"))
        self._act(actions[self.below(len(actions))])

    def _act(self, action: Stimulus) -> None:
        self.tell(f"operator: {action}")
        before = self._some_replies(2) if self.chance(3) else ()
        self.commit(*before, action, *(self._some_replies(2) if self.chance(3) else ()))

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
        paths = [record.path for record in self.written if isinstance(record, r.CommandSent | r.WaitBegun)]
        gone = [path for path in paths if path not in self.live.visits] or ["nobody.1"]
        path = gone[self.below(len(gone))]
        noise: list[Stimulus] = [
            s.TimerFired(path, "deadline"),
            s.EventArrived(path, f"event-{1 + self.below(3)}", Raw(b"{}")),
            s.Resolved(path, "done"),
            s.Failed(path, "late"),
        ]
        early = [name.split("|") for name, due in self.outside.timers.items() if due > self.now]
        if early:
            noise.append(s.TimerFired(*early[self.below(len(early))]))
        self._changes_nothing(noise[self.below(len(noise))])

    def _changes_nothing(self, stimulus: Stimulus) -> None:
        outside = pending(self.live)
        self.state, records = decide(self.graph, self.state, stimulus, self.now, self)
        if isinstance(stimulus, s.TimerFired):
            hold(not records, f"{stimulus} left {records}")
        hold(
            all(isinstance(record, r.Ignored | r.Held) for record in records), f"{stimulus} led to {records}"
        )
        hold(pending(self.live) == outside, f"{stimulus} changed what is outside")
        rows = [encode_records(records)] if records else []
        self.rows += rows
        self._check(rows)

    # --- all goes well ------------------------------------------------------------------------------

    def finish(self, steps: int = 2000) -> None:
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
        if self.live.suspended:
            self.commit(s.Resume("go on"))
        elif self.replies:
            self.commit(self.replies.pop(0))
        elif self.mail:
            self.deliver(self._pick(), well=mostly)
        elif self.participants.calls:
            self.participants.end_call(self.participants.calls[0], well=mostly)
        elif self.outside.incidents:
            path = next(iter(self.outside.incidents))
            element = self.live.visits[path].element
            tries[element] += 1
            self._act(s.Retry("again", path) if tries[element] < 5 else s.Skip("enough of it", path))
        elif self.due():
            self.commit(self.due()[0])
        elif self.outside.waits and (not self.outside.timers or self.chance(2)):
            event, _ = next(iter(self.outside.waits.values()))
            self.commit(*self.publish(event))
        elif self.outside.timers:
            self.now = min(self.outside.timers.values())
        else:
            raise Violation(f"in limbo: {self.live.status}, outside is {self.outside}")

    def clear_up(self) -> None:
        """It is over. What is still on its way arrives."""
        while self.mail or self.participants.calls or self.replies:
            if self.mail:
                self.deliver(self._pick())
            elif self.participants.calls:
                self.participants.end_call(self.participants.calls[0])
            else:
                reply = self.replies.pop()
                if not isinstance(reply, s.Retry):
                    self._changes_nothing(reply)
        self._noise()
