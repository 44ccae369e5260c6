"""The machine: what a saga does next, as pure functions of what has happened to it.

    records     what has happened: the journal
    state       where a saga is
    evolve      record -> state, live and in replay; `nesting` and `visiting` are parts of it
    stimuli     what may happen to it
    decide      stimulus -> records: the rules, in `hearing` (participants), `timing` (events and timers), `advancing`,
                `failing`, `undoing` and `acting` (persons)
    pending     state -> what must be outside

No clock, no thread, no file, no randomness, no author's code: times and the guarded calls of the author's
functions come in as arguments, effects are the difference of `pending`. The same machine runs in simulation
and in the runtime.
"""

from saga.machine.decide import decide
from saga.machine.evolve import Unfitting, evolve, replay
from saga.machine.pending import DEADLINE, WAKE, Pending, command_id, pending, timer_name
from saga.machine.records import Record, decode_records, encode_records
from saga.machine.state import State, Status
from saga.machine.stimuli import Stimulus
from saga.machine.turn import Evaluate, NotPossible, Stuck

__all__ = [
    "DEADLINE",
    "WAKE",
    "Evaluate",
    "NotPossible",
    "Pending",
    "Record",
    "State",
    "Status",
    "Stimulus",
    "Stuck",
    "Unfitting",
    "command_id",
    "decide",
    "decode_records",
    "encode_records",
    "evolve",
    "pending",
    "replay",
    "timer_name",
]
