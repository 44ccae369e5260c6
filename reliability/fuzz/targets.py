"""What is tried, by name, with its share of the inputs, and how each is broken to see that it would be noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from random import Random
from typing import Any
from unittest import mock

import click
import msgspec

from reliability.fuzz import command_line, language, stored, values
from reliability.model.rules import RULES
from saga.cli.main import Program
from saga.codec import TypeCodec
from saga.codec.refusal import refusal
from saga.flow.graph import Graph
from saga.machine import Record, State
from saga.verification.checking import Check

__all__ = ["TARGETS", "Target", "control"]


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Target:
    """One of the ways in."""

    attack: Callable[[Random], str | None]
    """Tries one input, and returns what is wrong."""
    share: float
    """Of all inputs. What takes milliseconds gets fewer."""
    broken: Callable[[], Any]
    """A context in which something is wrong that must be noticed."""
    prepare: Callable[[], object] = _nothing
    """Called once, before time is taken."""


# --- broken on purpose --------------------------------------------------------------------------------


def _never_compared(codec: TypeCodec[Any], value: Any, limit: int = 1_048_576) -> tuple[bytes, Any]:
    """Encode and decode, and look no further."""
    try:
        data = msgspec.json.encode(value)
        return data, codec._decode(data)
    except Exception:
        raise refusal(codec._shape, value, limit) from None


def _not_translated(codec: TypeCodec[Any], data: bytes) -> Any:
    return codec._decode(data)


def _applied_anyhow(state: State, record: Record) -> None:
    import_module("saga.machine.evolve")._APPLY[type(record)](state, record)


def _without_its_last_node(graph: Graph) -> bytes:
    nodes = dict(list(graph.nodes.items())[:-1])
    return msgspec.json.encode(msgspec.structs.replace(graph, nodes=nodes), order="deterministic")


def _any_hash(check: Check) -> Iterator[Any]:
    """The stored graphs are read, and not held against their hashes."""
    for finding in DEFINITIONS(check):
        if "does not fit its hash" not in finding.what:
            yield finding


DEFINITIONS = Check.definitions


class _Unexplained(Exception):
    """What is wrong, and no more than that."""


@contextmanager
def _of_the_machine(rule: str) -> Iterator[None]:
    with RULES[rule].off():
        yield


TARGETS: dict[str, Target] = {
    "values": Target(
        values.values_come_back_or_are_refused,
        0.32,
        lambda: mock.patch.object(TypeCodec, "roundtrip", _never_compared),
    ),
    "bytes": Target(
        values.bytes_are_read_or_refused,
        0.28,
        lambda: mock.patch.object(TypeCodec, "decode", _not_translated),
    ),
    "journals": Target(
        stored.journals_are_read_or_refused,
        0.145,
        lambda: mock.patch.object(import_module("saga.machine.evolve"), "apply", _applied_anyhow),
        stored.journals,
    ),
    "graphs": Target(
        stored.graphs_are_read_or_refused,
        0.145,
        lambda: mock.patch.object(Graph, "to_json", _without_its_last_node),
        stored.graphs,
    ),
    "flows": Target(
        language.flows_come_to_their_end, 0.04, lambda: _of_the_machine("a join waits for all branches")
    ),
    "language": Target(
        language.anything_is_a_definition_or_explained,
        0.04,
        lambda: mock.patch("saga.flow.definition.DefinitionError", _Unexplained),
    ),
    "arguments": Target(
        command_line.arguments_end_in_an_exit_code,
        0.026,
        lambda: mock.patch.object(Program, "invoke", click.Group.invoke),
    ),
    "stores": Target(
        command_line.changed_stores_are_told,
        0.004,
        lambda: mock.patch.object(Check, "definitions", _any_hash),
    ),
}
"""By name."""

MOST = 3_000
"""Inputs after which something that is broken is given up on."""


def control(name: str, first: int = 0) -> int | None:
    """Break a target, and try inputs until that is noticed. Return how many it took; None when it was not."""
    target = TARGETS[name]
    target.prepare()
    with target.broken():
        for tried in range(1, MOST + 1):
            try:
                wrong = target.attack(Random(f"{name} {first + tried}"))
            except Exception as error:
                wrong = repr(error)
            if wrong is not None:
                return tried
    return None
