"""The flow language: how an author writes a saga, and the graph it becomes.

The rules of the language
1. A leaf is a decorated method of a `Saga`. It returns what is sent, and `self.<leaf>` is what came back:
   `@step` sends a command and gets its answer; `@call` gives the input of another saga and gets its answer; `@wait`
   gives a key and gets the event; `@task` shows a person something and gets a decision; `@sleep` gives a time;
   `@publish` gives an event; `@items` lists what an `each` goes through; `@answer` gives the answer of the saga. Each
   leaf stands in the flow once.
2. Blocks arrange leaves: `(a, b)` in sequence, `choice` by conditions, `parallel` at once, `race` for what comes first,
   `repeat` until a condition holds, `each` for every item, `scope` as a part that fails, times out and is undone as
   one. `refuse`, `end`, `again` and `compensate` say what happens otherwise.
3. `flow` reads as the process. No strings, no lambdas: what is named is a method, and type checkers see it.
4. Steps are undone by their compensations, in reverse order of completion; behind a `pivot` there is no way
   back.
5. What makes no sense is a `DefinitionError` when the class is made, with all problems at once.
6. The author's functions do no I/O and return at once. What they return is journaled, and replay never
   calls them.

How to read this package: `elements` (with their `decorators`) and `blocks` are what is written; `saga` is the class
it is written in; `definition` makes one whole of it, out of `parts` (the flow in reading order), `compile` (to the
`graph`) and the rules, each in its place: `header`, `checks`, `functions` with `arguments` and `hints`, `structure`
with `endings`, `targets`, `item_rules`, `pivot`.

Pure: no clock, no thread, no file, no randomness, no log.
"""

from saga.flow.blocks import again, choice, compensate, each, end, parallel, race, refuse, repeat, scope
from saga.flow.decorators import answer, call, condition, items, publish, sleep, step, task, wait
from saga.flow.definition import Definition, Function, definition_of
from saga.flow.elements import Retry
from saga.flow.graph import Graph
from saga.flow.per_item import PerItem
from saga.flow.saga import Saga, forget_value, set_value

__all__ = [
    "Definition",
    "Function",
    "Graph",
    "PerItem",
    "Retry",
    "Saga",
    "again",
    "answer",
    "call",
    "choice",
    "compensate",
    "condition",
    "definition_of",
    "each",
    "end",
    "forget_value",
    "items",
    "parallel",
    "publish",
    "race",
    "refuse",
    "repeat",
    "scope",
    "set_value",
    "sleep",
    "step",
    "task",
    "wait",
]
