"""The definition of a saga: its graph, and the functions and types that belong to it.

Rules
1. A definition is checked as a whole when the class statement ends: all problems are raised at once, each
   with the element and what to do. What has a definition can be run.
2. A class without a flow and without leaves is a base for others and has no definition. A class with a flow
   has no subclasses: a definition is one class, which can be read from top to bottom.
3. The graph is all that is stored and pinned; functions are found in it by the name of their node, types by
   their stored name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, cast

from saga.codec import TypeRegistry
from saga.errors import DefinitionError, Problem
from saga.flow.blocks import Each, Scope
from saga.flow.checks import name_problems, value_problems
from saga.flow.compile import START, compile_flow, milliseconds
from saga.flow.elements import Call, Element, Method
from saga.flow.functions import Function, read_functions
from saga.flow.graph import Graph
from saga.flow.header import Header, header_problems
from saga.flow.hints import shown
from saga.flow.item_rules import item_problems
from saga.flow.parts import Part, parts_of, size_problem
from saga.flow.pivot import pivot_problems
from saga.flow.structure import structure_problems
from saga.flow.targets import target_problems
from saga.messages import Command, answer_type
from saga.participants import Context

if TYPE_CHECKING:
    from saga.flow.saga import Saga

__all__ = ["Definition", "Function", "define", "definition_of"]

DEFINITION = "_saga_definition"


@dataclass(frozen=True, slots=True)
class Definition:
    """A checked saga.

    - `saga`: the class; `graph`: what runs, is drawn and is stored;
    - `input`: the type of its input; `answer`: the type that its `@answer` leaves return, None without one;
    - `context`: the context whose commands it answers, None when it answers none;
    - `started_by_event`: whether an event of its input's type starts one;
    - `functions`: by name, those of leaves, compensations and conditions;
    - `calls`: the sagas it calls, by name of the leaf;
    - `eaches`: by name of a leaf that stands in an `each`, the ids of all around it, the outermost first.
    """

    saga: type[Saga[Any]]
    graph: Graph
    input: type[Any]
    answer: Any
    context: type[Context] | None
    started_by_event: bool
    functions: Mapping[str, Function]
    calls: Mapping[str, type[Saga[Any]]] = field(default_factory=dict)
    eaches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def definition_of(saga: type[Saga[Any]]) -> Definition:
    """Return the definition of a saga. Raises DefinitionError for a base class, which has no flow."""
    definition = vars(saga).get(DEFINITION)
    if isinstance(definition, Definition):
        return definition
    remedy = "write flow = (...) with its leaves and blocks"
    raise DefinitionError(saga.__name__, [Problem("flow", "is not there, so the saga cannot be run", remedy)])


def define(saga: type[Saga[Any]], header: Header, names: Mapping[str, object]) -> Definition | None:
    """Check `saga` and return its definition; None for a base class.

    `names` resolve annotations that the module's globals do not. Raises DefinitionError with all problems.
    """
    methods = _methods(saga)
    leaves = {name: method for name, method in methods.items() if isinstance(method, Element)}
    has_flow = "flow" in vars(saga)
    _refuse_subclass(saga)
    if not has_flow and not leaves:
        return None
    flow = vars(saga).get("flow", ())
    too_big = size_problem(flow)
    if too_big is not None:
        raise DefinitionError(saga.__name__, [too_big])
    root = parts_of(flow)
    problems = [*header_problems(header), *name_problems(saga)]
    functions = read_functions(methods.values(), names, problems)
    problems.extend(value_problems(root))
    problems.extend(structure_problems(saga, root, leaves) if has_flow else _without_flow())
    problems.extend(target_problems(root))
    problems.extend(item_problems(root, functions))
    problems.extend(_answer_problems(header, functions))
    types = _Types(header, functions)
    problems.extend(types.problems)
    graph = _graph(saga, header, root, functions, types)
    if not _is_ambiguous(root):
        problems.extend(pivot_problems(graph))
    if problems:
        raise DefinitionError(saga.__name__, tuple(dict.fromkeys(problems)))
    return Definition(
        saga=saga,
        graph=graph,
        input=cast("type[Any]", header.input),
        answer=next((each.answer for each in functions.values() if each.kind == "answer"), None),
        context=cast("type[Context] | None", header.context),
        started_by_event=bool(header.started_by_event),
        functions=functions,
        calls={name: leaf.saga for name, leaf in leaves.items() if isinstance(leaf, Call)},
        eaches={id: eaches for id, eaches in _eaches(root, ()) if eaches},
    )


def _eaches(part: Part, around: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield leaf → the ids of each `each` it stands in."""
    if isinstance(part.block, Element):
        yield part.id, around
    elif isinstance(part.block, Scope) and isinstance(part.block.compensation, Element):
        yield part.block.compensation.name, around
    for inner in part.parts:
        inside = isinstance(part.block, Each) and inner.role == "body"
        yield from _eaches(inner, (*around, part.id) if inside else around)


def _methods(saga: type) -> dict[str, Method]:
    """Return the leaves, compensations and conditions of the class by name."""
    found = (thing for thing in vars(saga).values() if isinstance(thing, Method))
    return {method.name: method for method in found if method.owner is saga}


def _refuse_subclass(saga: type) -> None:
    for base in saga.__mro__[1:]:
        if DEFINITION in vars(base):
            what = f"derives from {base.__name__}, which is a saga with a flow of its own"
            remedy = "copy what it needs; for another version of it, write version=... and register both"
            raise DefinitionError(saga.__name__, [Problem(saga.__name__, what, remedy)])


def _without_flow() -> Iterator[Problem]:
    yield Problem("flow", "is not there", "write flow = (...) with the leaves of the saga, in their order")


def _is_ambiguous(root: Part) -> bool:
    """Return whether two leaves of the flow have one name, so that the graph is not what was meant."""
    names = [part.id for part in root.walk() if isinstance(part.block, Element)]
    return len(set(names)) < len(names)


def _answer_problems(header: Header, functions: Mapping[str, Function]) -> Iterator[Problem]:
    """Yield what is wrong with what the saga answers."""
    answers = [each for each in functions.values() if each.kind == "answer"]
    for each in answers[1:]:
        if each.answer != answers[0].answer:
            what = f"answers {shown(each.answer)}, but {answers[0].name} answers {shown(answers[0].answer)}"
            yield Problem(each.name, what, "let all answers of a saga be of one type, a union if need be")
    command = header.input
    if header.context is None or not (isinstance(command, type) and issubclass(command, Command)):
        return
    try:
        expected = answer_type(command)
    except DefinitionError as error:
        yield from (
            Problem("input", f"{command.__name__} {each.what}", each.remedy) for each in error.problems
        )
        return
    for each in answers:
        if each.answer != expected:
            what = f"answers {shown(each.answer)}, but {command.__name__} is answered with {shown(expected)}"
            yield Problem(each.name, what, f"annotate it -> {shown(expected)}")
    if expected is not None and not answers:
        what = f"is never given, but {command.__name__} is answered with {shown(expected)}"
        yield Problem("answer", what, f"write a method with @answer that returns {shown(expected)}")


class _Types:
    """The types of a definition: their stored names and fingerprints, and what is wrong with them."""

    def __init__(self, header: Header, functions: Mapping[str, Function]) -> None:
        self.registry = TypeRegistry()
        self.problems: list[Problem] = []
        self.fingerprints: dict[str, str] = {}
        self.input = self.name(header.input) if isinstance(header.input, type) else ""
        self.messages: dict[str, str] = {}
        """Name of a function → stored name of its message."""
        self.answers: dict[str, str] = {}
        """Name of a function → stored name of what comes back."""
        self.answer: str | None = None
        for function in functions.values():
            if function.message is not None:
                self.messages[function.name] = self.name(function.message)
            if function.answer is not None:
                name = self.answers[function.name] = self.name(function.answer)
                if function.kind == "answer":
                    self.answer = name

    def name(self, tp: Any) -> str:
        """Return the stored name of `tp`, which is noted; empty when it has none."""
        try:
            codec = self.registry.register(tp)
        except DefinitionError as error:
            self.problems.extend(error.problems)
            return ""
        self.fingerprints[codec.name] = codec.fingerprint
        return codec.name


def _graph(saga: type, header: Header, root: Part, functions: Mapping[str, Function], types: _Types) -> Graph:
    """Return the graph. With problems it is only good for finding more of them."""
    return Graph(
        name=str(header.name),
        version=cast(int, header.version),
        input=types.input,
        nodes=compile_flow(root, types.messages, types.answers),
        start=START,
        types=dict(sorted(types.fingerprints.items())),
        answer=types.answer,
        deadline_ms=milliseconds(header.deadline),
        doc=cleandoc(saga.__doc__ or ""),
    )
