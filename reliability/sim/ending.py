"""What must hold when the process has ended, and when everything has come to its end; and who sees to that.

At each end of the process the files are verified as `saga verify` does it, and what was in memory is held against a
replay of what is on disk. At the very end whole journals are read, with the second opinion of `reliability.journals`,
and held against what contexts and the service outside have really done.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reliability.journals.callers import check_callers
from reliability.journals.invariants import (
    Violation,
    check_journal,
    check_state,
    hold,
    what_happened_is_what_was_journaled,
)
from reliability.journals.order import what_was_done_is_undone_in_reverse
from reliability.journals.schedule import check_timed
from reliability.sim.business import PARTICIPANTS
from reliability.sim.plan import Entry
from reliability.sim.props import PROPS
from saga.coordination.envelopes import RetryDeliveries
from saga.coordination.requests import Tick
from saga.journal import records_of
from saga.machine import Record, State, pending, replay
from saga.machine import records as r
from saga.messages import type_name
from saga.participants import Context, listeners_of, participant_name
from saga.store import JournalRow
from saga.store.queries import JOURNAL_COLUMNS

if TYPE_CHECKING:
    from reliability.sim.life import Life
    from reliability.sim.world import World

__all__ = ["check", "check_crash", "operate"]

PATIENCE = ("retry", "retry", "skip", "mark", "cancel", "retry", "skip", "skip")
"""What operators do in the end about one incident, one after the other."""

LISTENERS = {
    participant_name(cls): [type_name(event) for event in listeners_of(cls)]
    for cls in PARTICIPANTS
    if issubclass(cls, Context)
}


def operate(world: World, settled: dict[str, int]) -> bool:
    """Do what is asked of people; return whether there was anything."""
    life, disk = world.life, world.disks.saga
    if life is None or not life.opened:
        return life is None
    did = False

    def act(kind: str, who: str, what: str = "", n: int = 0) -> None:
        nonlocal did
        did = True
        world.application.take(Entry(world.step, kind, who, what, n))

    rows = "SELECT s.id, s.status, i.path, i.kind FROM sagas s JOIN {} i ON s.no = i.saga_no ORDER BY s.no, i.path"
    for id, status, path, kind in disk.execute(rows.format("open_incidents")).fetchall():
        if status != "SUSPENDED":
            what = f"{id}:{path.partition('~')[0].rpartition('.')[0]}"  # a retry may be a new visit
            times = settled[what] = settled.get(what, 0) + 1
            if times > len(PATIENCE):
                raise Violation(f"I13: {path} of {id} stays parked ({kind}), whatever people do")
            act(PATIENCE[times - 1], id)
    for (id,) in disk.execute("SELECT id FROM sagas WHERE status = 'SUSPENDED' ORDER BY no").fetchall():
        act("resume", id)
    for id, _ in disk.execute("SELECT s.id, t.path FROM sagas s JOIN tasks t ON s.no = t.saga_no").fetchall():
        act("task", id)
    for name, context in life.contexts.items():
        if context.store.consult(lambda it: it.execute("SELECT count(*) FROM _saga_retries").fetchone())[0]:
            times = settled[name] = settled.get(name, 0) + 1
            hold(times < 5, f"I10: {name} has deliveries that are set aside, whatever people do")
            life.boxes[name].post(RetryDeliveries(None, _Reply()))  # type: ignore[arg-type]
            did = True
    return did


class _Reply:
    """Nobody waits for it."""

    def set_result(self, result: object) -> None:
        """See `Future`."""


# --- at each end of the process ---------------------------------------------------------------------


def check_crash(world: World, life: Life | None) -> None:
    """I8: what was in memory follows from what is on disk, and so does all that is stored."""
    journals = _journals(world)
    if life is not None and hasattr(life, "coordinator"):
        for no, instance in life.coordinator.ledger.cache._known.items():
            rows = journals.get(no, [])
            if instance.state is not None and instance.seq == (rows[-1].seq if rows else 0):
                replayed = replay(records_of(rows))
                hold(replayed == instance.state, f"I8: saga {no} in memory is not what its journal says")
    verify(world)


def verify(world: World) -> None:
    """I7, I8, I9: see `saga.verification`."""
    check = world.disks.check
    found = [check.sagas(lambda what, done, of: None, live_only=False)]
    found.append(check.unknown_commands(lambda what, done, of: None))
    if world.disks.saga.execute(
        "SELECT 1 FROM participants"
    ).fetchone():  # else nothing was ever written down
        found.append(check.outboxes_and_positions())
    for findings in found:
        for finding in findings:
            raise Violation(f"I8: {finding.what}")


def _journals(world: World) -> dict[int, list[JournalRow]]:
    rows = world.disks.saga.execute(f"SELECT {JOURNAL_COLUMNS} FROM journal ORDER BY no")
    journals: dict[int, list[JournalRow]] = {}
    for row in map(JournalRow._make, rows.fetchall()):
        journals.setdefault(row.saga_no, []).append(row)
    return journals


# --- at the end -------------------------------------------------------------------------------------


def check(world: World) -> None:
    """Everything has come to its end, and stays there."""
    _nobody_is_left(world)
    _nothing_is_under_way(world)
    life = world.life
    assert life is not None
    life.close()
    world.application.crashed()
    verify(world)
    _every_event_has_arrived(world)
    _journals_make_sense(world)
    _inboxes_are_pruned(world)
    if world.plan.seed % 4 == 0:
        _it_stays_so(world)


def _nobody_is_left(world: World) -> None:
    """I13: all sagas are over."""
    left = world.disks.saga.execute("SELECT id, status FROM sagas WHERE ended_ms IS NULL").fetchall()
    hold(not left, f"I13: nothing happens any more, and these are not over: {left}")
    for request in world.application.requests:
        hold(request.answered, f"{request.entry.kind} of {request.entry.who} was never answered")
    for table in ("timers", "waits", "tasks", "open_incidents", "suspects"):
        rows = world.disks.saga.execute(f"SELECT * FROM {table}").fetchall()
        hold(not rows, f"all sagas are over, and there are {table}: {rows}")


def _nothing_is_under_way(world: World) -> None:
    """The books of the dispatcher are closed: no credit is lost, nothing is kept for what is over."""
    life = world.life
    assert life is not None
    life.coordinator.handle([Tick()])  # whatever was left for the next batch
    hold(life.coordinator.active == 0, f"{life.coordinator.active} sagas count as active")
    for name, lane in life.coordinator.dispatcher.lanes.items():
        floor = lane.floor
        for what in ("given", "outside", "waiting", "numbers", "over", "out"):
            hold(not getattr(lane, what), f"all is over, and {what} of {name}: {getattr(lane, what)}")
        hold(floor == lane.next_number, f"the floor of {name} is {floor}, the next number {lane.next_number}")
    hold(not life.coordinator.suspects, "all is over, and there are suspects")


def _every_event_has_arrived(world: World) -> None:
    """I10: each event of a context is in the log, and each of the log has reached its listeners, once."""
    truth = world.truth
    for name, published in truth.outboxes.items():
        missing = [id for id in published if id not in truth.events]
        hold(not missing, f"I10: {name} has published {missing}, which is not in the log")
        numbers = [truth.events[id][0] for id in published]
        hold(numbers == sorted(numbers), f"I10: events of {name} have changed their order")
    for name, types in LISTENERS.items():
        for id, (_, type_) in truth.events.items():
            if type_ in types:
                times = truth.effects[name, id]
                hold(times == truth.logged[id], f"I10: {name} was told of {id} {times} times")
    for id, (_, type_) in truth.events.items():
        if type_ == "Booked/1":
            hold(f"Letter:{id}" in truth.by_id, f"I10: {id} has started nothing")


def _journals_make_sense(world: World) -> None:
    """I2 to I6, I11, I16, of whole journals."""
    assert world.life is not None
    definitions = {(each.graph.name, each.graph.version): each.graph for each in world.life.definitions.given}
    sagas = {}
    effects, undone = _what_was_done(world)
    for rows in _journals(world).values():
        records = list(records_of(rows))
        state: State = replay(records)
        graph = definitions[state.saga, state.version]
        times = [row.at_ms for row in rows for _ in records_of([row])]
        check_journal(records)
        check_state(state, pending(state))
        what_was_done_is_undone_in_reverse(records)
        check_timed(graph, records, times)
        what_happened_is_what_was_journaled(records, state.id, effects, undone)
        sagas[state.id] = (graph, records, state)
        _called_off_after_it_was_done(state.id, records)
    check_callers(sagas)


def _inboxes_are_pruned(world: World) -> None:
    """What is over is forgotten: of each life at most so much is left as a floor may move before that."""
    most = world.plan.knobs.prune_every * world.lives
    for name, disk in world.disks.contexts.items():
        ((below,),) = disk.execute(
            "SELECT count(*) FROM _saga_inbox WHERE number < (SELECT floor FROM _saga_file)"
        ).fetchall()
        hold(below <= most, f"{name} remembers {below} commands below its floor, in {world.lives} lives")


def _it_stays_so(world: World) -> None:
    """I6: another start changes nothing."""
    tables = ("journal", "sagas", "timers", "waits", "open_incidents")  # events may be pruned now

    def everything() -> list[object]:
        effects = [disk.execute("SELECT * FROM effects").fetchall() for disk in world.disks.contexts.values()]
        return [*effects, *(world.disks.saga.execute(f"SELECT * FROM {each}").fetchall() for each in tables)]

    before = everything()
    world.live_again()
    for one, other in zip(before, everything(), strict=True):
        hold(one == other, f"I6: another start has changed what was over: {one} {other}")


def _what_was_done(world: World) -> tuple[Counter[str], Counter[str]]:
    """Return command id → how often it was carried out, and how often that was undone."""
    done: Counter[str] = Counter()
    undone: Counter[str] = Counter()
    did = [message for _, message in world.truth.effects if message not in world.truth.events]
    for id in [*did, *(id for id, _ in PROPS.service)]:
        command, tilde, _ = id.partition("~")
        (undone if tilde else done)[command] += 1
    return done, undone


def _called_off_after_it_was_done(id: str, records: list[Record]) -> None:
    """What happens outside never happens after it was called off."""
    at = {key: n for n, (key, _) in enumerate(PROPS.service)}
    for record in records:
        if isinstance(record, r.UndoSent) and f"{id}:{record.of}" in at and f"{id}:{record.path}" in at:
            first, second = at[f"{id}:{record.of}"], at[f"{id}:{record.path}"]
            hold(first < second, f"{record.of} of {id} was done outside after it was called off")
