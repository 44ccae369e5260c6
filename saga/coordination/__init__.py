"""What the coordinator and the participants do, as plain classes without threads: batch in, commits and messages out.

    envelopes    what the coordinator and the participants send each other
    outcome      how a saga ended, and whoever waits to know it
    evaluation   the guarded calls of the author's functions
    instances    the sagas in memory: loaded by replay, bounded
    definitions  the definitions given to a runtime, and those its store has seen
    participation  the contexts and gateways given to it, checked together
    ledger       what one commit consists of
    filling      how its records are stored: as a form, and what is filled in
    calls        what sagas that call each other do to each other, in the same commit
    dispatch     commands on their way: credit, numbers, order
    relay        the event log and who has read how far
    coordinator  one batch: stimuli, decisions, one commit, then messages
    answers      what an answer means to the saga that has asked
    operating    what operators ask: actions on sagas, snapshots, looks
    parking      what nobody here can carry out, until somebody can
    giving_up    a saga whose memory cannot be trusted, and nobody else's
    timers       what falls due, and when the next one does
    postponing   a commit that there is no space for is tried again; contexts commit so, too
    pruning      letting go of what nobody needs any more
    listeners    who listens to which events, also those that are away
    suspects     what was running when the process was cut off: tried alone, parked at last
    open_commands  what sagas have outside: found at a recovery, and sent again
    intake       what waits to be started, and when there is room
    schedules    recurring starts: kept, and started when they are due
    cron         when a schedule is due, and what becomes of missed runs
    announcing   telling those who wait
    requests     what the application asks of the coordinator
    opening      from an open saga.db to a coordinator that can recover
    recovery     from there to one that runs
    context      batches of a context: one transaction for the effects, the answers, the events and the inbox
    transaction  what such a batch gathers until it is committed
    handling     its commands: carried out once, the answer kept
    listening    its events: taken once by each listener, or tried again
    outbox       what it publishes
    gateway      one call of a gateway
    guard        calling the author's code: nothing it does gets past

The actors in `saga.actors` drive them on threads; a simulator may drive them on one.
"""
