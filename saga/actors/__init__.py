"""The actors: pykka adapters around the plain classes of `saga.coordination`. The only place that knows pykka.

    mailbox       where messages to an actor are put: a deque and one wake message
    worker        the base of all: nothing raised in it stops anything but itself
    coordinator   drives `coordination.coordinator`
    context       drives `coordination.context`
    gateway       drives `coordination.gateway`; `pool` lends it as many threads as it may use, `loop` as many tasks
    timekeeper    waits for the next due time, for everybody
    supervisor    restarts those who have died, and sees who hangs
    crew          all of them: how they are started, in which order, and how they are stopped

Rules (what pykka 4.5 does, and what we do about it)
1. An exception in a handler stops its actor, a `SystemExit` in one stops all: so no exception leaves `on_receive`.
2. An actor that dies loses what is in pykka's inbox: so messages lie in a `Mailbox`, which outlives the actor.
3. pykka's inbox is unbounded: what is sent is bounded by credit, what is accepted by the runtime's limits.
4. An actor that asks another one may wait for ever: so actors only tell. Only the outermost edge waits, with a timeout.
5. Threads that hang cannot be killed: so all are daemons, and a close waits only so long.
"""
