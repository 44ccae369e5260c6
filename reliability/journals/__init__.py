"""What must hold of the journals of sagas: a second opinion, which shares no code with the machine.

    invariants  ids, events, compensations, the end and the direction of one saga; what it did, held against the world
    order       what was done is undone in reverse, one at a time, once
    schedule    how often, how many at once, and when
    callers     sagas that call each other

Used by the searches of `tests/machine` and by the simulator.
"""
