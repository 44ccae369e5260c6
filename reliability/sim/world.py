"""The world in which a plan is played: clock, disks, faults, and the scheduler, which lets one thing happen at a time.

The adversary, and what it cannot do:
1. Any actor may be next, with any number of the messages in its mailbox; one may be held up for long. Time may pass to
   the next timer, or jump, forwards and backwards, at any moment.
2. The process may end at any commit (before it, after it), at any seam, between any two turns, inside of a handler or
   a saga's function, while it opens and recovers. Mailboxes and memory are lost then, and what was committed stays.
   A disk may be full for some commits.
3. A context may die alone, before and after its commit and its answer; it finds its mailbox as it was. A gateway may
   die alone: its queue is lost, calls that run go on. Either may be lowered for the rest of a life.
4. Messages to a context, and its answers, may come twice: at once, or much later in the same life. Commands and
   inquiries may change places, and so may answers that carry nothing else. A gateway's commands may come twice in a
   row. Events and outboxes keep their order, and a gateway's answers come once: no restart changes that.
5. After the last entry nothing goes wrong any more, operators do what is asked of them, and all must come to its end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from reliability.journals.invariants import Violation
from reliability.sim import ending
from reliability.sim.application import Application
from reliability.sim.boxes import Box
from reliability.sim.disks import BEGINNING, Disks
from reliability.sim.life import Fallen, Life
from reliability.sim.plan import Entry, Plan
from reliability.sim.props import PROPS, Ended
from reliability.sim.truth import Truth
from saga import seams
from saga.coordination import context as context_module
from saga.coordination import pruning
from saga.coordination import relay as relay_module
from saga.coordination.envelopes import Answers, Deliver, Inquire, Notify, OutboxTaken, Recalled
from saga.machine import NotPossible, Unfitting
from saga.store.running import Noted

__all__ = ["Outcome", "World", "play"]

MOST_STEPS = 6_000
OF_THE_STORE = ("saga-db.", "context-db.", "file.", "checkpoint.", "mapped.")
"""How the names of the seams in `saga.store` begin."""
TRIAL_S = 90.0
"""Longer than a trial of a suspect takes."""
CONTEXTS = ("stock", "bank")


@dataclass
class Outcome:
    """What came of a play."""

    seed: int
    digest: str = ""
    """Of everything in all files, at the end."""
    violation: str = ""
    steps: int = 0
    sagas: int = 0
    commits: int = 0
    crashes: int = 0
    """Times the process was cut off."""
    faults: int = 0
    """All other faults."""
    story: list[str] = field(default_factory=list)


def play(plan: Plan, disks: Disks, *, told: bool = False) -> Outcome:
    """Play a plan to its end; a violation is in the outcome. `told`: keep the story."""
    world = World(plan, disks, told=told)
    try:
        world.run()
    except (Violation, Unfitting, NotPossible, AssertionError) as error:
        world.outcome.violation = str(error).splitlines()[0] if str(error) else type(error).__name__
    except Exception as error:
        world.outcome.violation = f"{type(error).__name__}: {error}".splitlines()[0]
        if told:
            raise
    finally:
        seams.hook = None
    outcome = world.outcome
    outcome.digest, outcome.sagas = disks.digest(), len(world.truth.sagas)
    outcome.commits, outcome.steps = world.truth.commits, world.step
    return outcome


class World:
    """Everything that is not the process; it has one life after the other."""

    def __init__(self, plan: Plan, disks: Disks, *, told: bool = False) -> None:
        self.plan, self.disks, self.told = plan, disks, told
        self.chance = Random(plan.chance)
        self.outcome = Outcome(plan.seed)
        self.story = self.outcome.story
        self._now = self.begins = self.latest = BEGINNING
        self.monotonic = 0.0
        self.step = 0
        self.lives = 0
        """Of the process, and of participants that died alone."""
        self.calm = False
        self.life: Life | None = None
        self.gone = False
        """The process has ended, wherever it is."""
        self.noted: list[Noted] = []
        """What the process that ended last was carrying out."""
        self.truth = Truth(lambda: self.latest)
        self.application = Application(self)
        self.acting = ""
        self._crash_in: list[int] = []
        """Crashes to come: after so many seams."""
        self._die_in: dict[str, int] = {}
        """Contexts that are to die alone: after so many seams of theirs."""
        self._held: dict[str, int] = {}
        """Actors that are held up: until this step."""
        self._full: dict[str, int] = {}
        """Files on a disk that is full: so many more commits fail."""
        self._broken = ""
        self._settled: dict[str, int] = {}
        """What operators have done about an incident, in the end."""

    # --- what it offers ---------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Return what the clock shows."""
        return self._now

    def _seam(self, name: str) -> None:
        """The process passes a seam. Those of the store count where `life` passes them: the truth knows then what is on
        disk."""
        if not name.startswith(OF_THE_STORE):
            self.passed(name)

    def passed(self, name: str) -> None:
        """The process passes a point at which it may end."""
        if self.gone:
            raise Ended(name)
        if self._crash_in and not self.calm:
            self._crash_in[0] -= 1
            if self._crash_in[0] < 0:
                self._crash_in.pop(0)
                self.die(name)
                raise Ended(name)
        if self._die_in and self.acting in self._die_in:
            self._die_in[self.acting] -= 1
            if self._die_in[self.acting] < 0:
                del self._die_in[self.acting]
                raise Fallen(name)

    def die(self, where: str) -> None:
        """The process ends here; whoever is running notices as soon as he can."""
        if not self.gone:
            self.gone = True
            running = None if self.life is None else self.life.running
            self.noted = [] if running is None else running.noted()
            self.tell("process", [], f"ends at {where!r}, busy with {[n[:3] for n in self.noted]}")

    def broke(self, what: str) -> None:
        """Something happened that the runtime survives, and that is a bug all the same."""
        self._broken = self._broken or what

    def is_full(self, name: str) -> bool:
        """Return whether the disk is full, when a file is to be written."""
        if self.calm or self.life is None or not self.life.opened:
            return False  # the runtime could not be opened: nothing would have happened yet
        left = self._full.get(name, 0)
        self._full[name] = max(0, left - 1)
        return left > 0

    def tell(self, who: str, messages: list[Any], what: str = "") -> None:
        """Add to the story."""
        if self.told:
            shown = "; ".join(_shown(message) for message in messages)
            at = (self._now - self.begins) / 60_000
            self.story.append(f"{self.step:>4} {at:>8.1f} min  {who:<12} {what}{shown}")

    def how_many(self, there: int) -> int:
        """Return how many messages are taken now."""
        chance = self.chance
        if chance.random() * 10 < self.plan.knobs.greed:
            return there
        return 1 + chance.randrange(there) if there else 0

    def is_cut(self) -> bool:
        """Return whether a context is slow now, so that its batch is cut."""
        return self.chance.random() * 10 < self.plan.knobs.cut

    # --- the play ---------------------------------------------------------------------------------

    def run(self) -> None:
        """From the first entry to the end of all sagas. Raises Violation."""
        plan, knobs = self.plan, self.plan.knobs
        quirks: dict[tuple[str, str], list[str]] = {}
        waiting = []
        for entry in plan.entries:
            if entry.kind == "quirk":
                what, _, outcome = entry.what.partition(":")
                quirks.setdefault((what, entry.who), []).extend([outcome] * entry.n)
            else:
                waiting.append(entry)
        PROPS.begin(quirks, lambda: self.die("a handler"), self._message)
        self.disks.clear()
        seams.hook = self._seam
        pruning.EVENTS_BETWEEN_PRUNINGS = knobs.events_kept
        context_module.PRUNE_EVERY = knobs.prune_every
        relay_module.WINDOW, relay_module.PAGE = knobs.window, knobs.window // 2
        waiting.reverse()
        while True:
            self.step += 1
            if self.step > MOST_STEPS:
                raise Violation(f"I13: it does not come to an end within {MOST_STEPS} steps")
            while waiting and waiting[-1].step <= self.step:
                self._enter(waiting.pop())
            if self._turn() or (not waiting and not self.calm and self._become_calm()) or self._pass_time():
                continue
            if waiting:
                self.step = max(self.step, waiting[-1].step)
            elif not self._operate():
                break
        ending.check(self)

    def _message(self, context: str) -> str:
        assert self.life is not None
        return self.life.contexts[context].driver._outbox.transaction.cause[
            1
        ]  # the id of what it is at; handlers are not told

    def _guarded(self, act: Callable[[], None]) -> None:
        """Let something happen; when the process ends in it, it is over."""
        try:
            act()
        except Ended:
            pass
        if self.gone:
            self._end_life()
        if self._broken:
            raise Violation(self._broken)

    def _turn(self) -> bool:
        """One thing happens; False when nothing can."""
        if self.life is None:
            self._guarded(self._be_born)
            return True
        life = self.life
        self.monotonic += 0.001
        life.fire()
        turns = life.turns()
        if self._held:
            free = [turn for turn in turns if self._held.get(turn[0], 0) <= self.step]
            turns, held = free, turns != free
        else:
            held = False
        haste = self.plan.knobs.haste
        if turns and not (
            haste and not self.calm and self.chance.randrange(1000) < haste and self._pass_time()
        ):
            who, act = turns[0] if len(turns) == 1 else self.chance.choice(turns)
            self.acting = who
            self._guarded(act)
            self.acting = ""
            self._after_turn()
            return True
        if turns:
            return True
        if held:  # it hangs, and time passes
            if not self._pass_time():
                self._held.clear()
            return True
        if life.opened and life.coordinator.suspects.on_trial and not self._calls_run():
            self.monotonic += TRIAL_S
            life.due["coordinator"] = self._now
            return True
        return False

    def _calls_run(self) -> bool:
        return self.life is not None and any(each.running for each in self.life.gateways.values())

    def _be_born(self) -> None:
        self.lives += 1
        self.life = None
        self.life = Life(self)

    def live_again(self) -> None:
        """Open the store once more, when all is over, and close it."""
        self.life = None
        while self._turn() or self._pass_time():
            pass
        assert self.life is not None
        self.life.close()

    def _after_turn(self) -> None:
        life = self.life
        if life is None:
            return
        self.application.look()
        if life.opened and not life.__dict__.get("welcomed"):
            life.__dict__["welcomed"] = True
            self.application.opened()

    def _pass_time(self) -> bool:
        """Let time pass to the next timer; False when there is none."""
        life = self.life
        if life is None or not life.due:
            return False
        due = min(life.due.values())
        self._set_clock(max(self._now, due + self.chance.choice((0, 0, 1, 700))))
        life.fire()
        return True

    def _set_clock(self, now_ms: int) -> None:
        self._now = now_ms
        self.latest = max(self.latest, now_ms)

    def _end_life(self) -> None:
        """The process has ended: its memory is gone."""
        life, self.life = self.life, None
        self.gone = False
        self.outcome.crashes += 1
        self._held.clear()
        self._die_in.clear()
        self.disks.lose_power()
        self.application.crashed()
        ending.check_crash(self, life)

    # --- faults -----------------------------------------------------------------------------------

    def _enter(self, entry: Entry) -> None:
        """The time of an entry has come."""
        self.tell("plan", [], str(entry)[9:])
        fault = getattr(self, f"_fault_{entry.kind}", None)
        if fault is None:
            self.application.take(entry)
        else:
            self.outcome.faults += entry.kind != "crash"
            fault(entry)

    def _fault_crash(self, entry: Entry) -> None:
        if entry.n == 0 and self.life is not None:
            self.die("between two turns")
            self._end_life()
        else:
            self._crash_in.append(entry.n)

    def _fault_close(self, entry: Entry) -> None:
        if self.life is not None and self.life.opened:
            self._guarded(self.life.close)
            if self.life is not None:
                self.application.crashed()
                self.life = None

    def _fault_die(self, entry: Entry) -> None:
        if self.life is None or not self.life.opened:
            return
        if entry.who in CONTEXTS:
            if entry.who in self.life.contexts:
                self._die_in[entry.who] = entry.n
        elif entry.who == "cards" or not self.life.gateways.get(entry.who) or not self._calls_run():
            self.life.fall(entry.who)

    def _fault_lower(self, entry: Entry) -> None:
        life = self.life
        if life is not None and life.opened and not self._calls_run():
            life.lower(entry.who)

    def _fault_full(self, entry: Entry) -> None:
        self._full[entry.who] = 1 + entry.n

    def _fault_hold(self, entry: Entry) -> None:
        self._held[entry.who] = self.step + entry.n

    def _fault_clock(self, entry: Entry) -> None:
        self._set_clock(max(self._now + entry.n, BEGINNING))

    def _fault_twice(self, entry: Entry) -> None:
        """A message comes twice: at once, or later."""
        life = self.life
        if life is None:
            return
        box = life.boxes[entry.who]
        if entry.who in ("cards", "letters"):
            self._call_twice(box, entry.n)
            return
        there = [message for message in (*box.messages, *box.passed) if _may_come_again(message)]
        if there:
            message = there[entry.n % len(there)]
            self.tell(entry.who, [message], "comes again: ")
            box.messages.append(message)

    def _call_twice(self, box: Box, n: int) -> None:
        there = [at for at, message in enumerate(box.messages) if isinstance(message, Deliver)]
        if there:
            at = there[n % len(there)]
            box.messages.insert(at, box.messages[at])

    def _fault_shuffle(self, entry: Entry) -> None:
        """Messages that do not belong together change places."""
        if self.life is None:
            return
        box = self.life.boxes[entry.who].messages
        there = [at for at, message in enumerate(box) if _may_change_places(message)]
        mixed = [box[at] for at in there]
        Random(entry.n).shuffle(mixed)
        for at, message in zip(there, mixed, strict=True):
            box[at] = message

    # --- the end ----------------------------------------------------------------------------------

    def _become_calm(self) -> bool:
        """Nothing goes wrong any more, and nothing is started."""
        self.tell("plan", [], "from now on nothing goes wrong")
        self.calm = PROPS.calm = True
        self._crash_in.clear()
        self._die_in.clear()
        if self.life is not None and self.life.down:
            self._fault_close(Entry(self.step, "close"))
        for (name,) in self.disks.saga.execute("SELECT name FROM schedules").fetchall():
            self.application.take(Entry(self.step, "unschedule", name))
        return True

    def _operate(self) -> bool:
        """Operators look after what waits for them; False when there is nothing (any more)."""
        return ending.operate(self, self._settled)


def _may_come_again(message: object) -> bool:
    """Whether a message may come twice, also late: see the adversary's rule 4."""
    if isinstance(message, Answers):
        return message.participant in CONTEXTS
    if isinstance(message, Notify):
        return message.attempt == 1
    return isinstance(message, Deliver | Inquire | OutboxTaken | Recalled)


def _may_change_places(message: object) -> bool:
    if isinstance(message, Answers):
        return message.participant in CONTEXTS and not message.events and not message.read_to
    return isinstance(message, Deliver | Inquire)


def _shown(message: Any) -> str:
    """Return a message in a few words."""
    kind = type(message).__name__
    match message:
        case Answers():
            told = [f"{answer.path} {answer.outcome}" for answer in message.answers]
            told += [event.event_id for event in message.events]
            return f"{kind} of {message.participant}: {', '.join(told)}"
        case Deliver() | Inquire():
            return f"{kind} {message.command_id}"
        case Notify():
            return f"{kind} {message.event_id}"
        case _:
            said = [
                str(getattr(message, name))
                for name in ("saga_id", "name", "participant", "event_id", "command_id", "path")
                if hasattr(message, name)
            ]
            return " ".join([kind, *said])
