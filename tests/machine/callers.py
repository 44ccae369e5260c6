"""What must hold between sagas that call each other, when all of them are over."""

from __future__ import annotations

from collections.abc import Mapping

from reliability.model.invariants import hold
from saga.flow.graph import Call, Graph
from saga.machine import Record, State, Status, command_id
from saga.machine import records as r

__all__ = ["check_callers"]


def check_callers(sagas: Mapping[str, tuple[Graph, list[Record], State]]) -> None:
    """Check every call of every saga."""
    for id, (graph, records, state) in sagas.items():
        hold(state.ended is not None, f"{id} is not over")
        hold(sum(isinstance(record, r.Started) for record in records) == 1, f"{id} began twice")
        if state.parent:
            hold(state.parent in sagas, f"{id} has no caller")
            sent = [x for x in sagas[state.parent][1] if isinstance(x, r.CommandSent) and not x.number]
            hold(id in [command_id(state.parent, x.path) for x in sent], f"nobody has called {id}")
        for record in records:
            if isinstance(record, r.CommandSent) and not record.number:
                child = sagas.get(command_id(id, record.path))
                _call_is_settled(graph, records, state, record, child[2] if child is not None else None)


def _call_is_settled(
    graph: Graph, records: list[Record], state: State, sent: r.CommandSent, child: State | None
) -> None:
    """The saga that was called ended as its caller needs it."""
    node, path = graph.nodes[sent.element], sent.path
    assert isinstance(node, Call)
    of_it = [x for x in records if getattr(x, "path", "") in (path,) or getattr(x, "of", "") == path]
    completed = [x for x in of_it if isinstance(x, r.StepCompleted)]
    if any(isinstance(x, r.StepSkipped) for x in of_it) or any(x.via == "hand" for x in completed):
        hold(child is None or child.ended is Status.COMPENSATED, f"{path} was settled by hand, and is there")
        return
    if not completed:
        hold(child is None or child.ended is Status.COMPENSATED, f"{path} did not complete, its saga did")
        return
    assert child is not None
    if node.compensation != node.id:
        hold(child.ended is Status.COMPLETED, f"{path} completed, its saga is {child.ended}")
        return
    undo = [x.path for x in of_it if isinstance(x, r.UndoSent | r.Parked) and "~" in x.path]
    undo_over = {x.path for x in records if isinstance(x, r.UndoCompleted)}
    skipped = {x.path for x in records if isinstance(x, r.UndoSkipped)}
    by_hand = {x.path for x in records if isinstance(x, r.UndoCompleted) and x.via == "hand"}
    undone = bool(undo_over.intersection(undo)) and not by_hand.intersection(undo)
    hold(
        (child.ended is Status.COMPENSATED) == undone,
        f"{path} is undone: {undone}, its saga is {child.ended}",
    )
    if state.ended is Status.COMPENSATED and not _in_a_unit(records, path):
        settled = undone or skipped.intersection(undo) or by_hand.intersection(undo)
        hold(settled, f"the caller is undone, and {path} is not")


def _in_a_unit(records: list[Record], path: str) -> bool:
    """Return whether it was done in a scope that is undone as a whole."""
    return any(isinstance(x, r.ScopeLeft) and x.undo and path.startswith(f"{x.path}/") for x in records)
