"""What the coordinator and the participants do, as plain classes without threads: batch in, commits and messages out.

    envelopes    what the coordinator and the participants send each other
    outcome      how a saga ended, and whoever waits to know it
    evaluation   the guarded calls of the author's functions
    instances    the sagas in memory: loaded by replay, bounded
    definitions  the definitions given to a runtime, and those its store has seen
    participation  the contexts and gateways given to it, checked together
    ledger       what one commit consists of
    dispatch     commands on their way: credit, numbers, order
    relay        the event log and who has read how far
    coordinator  one batch: stimuli, decisions, one commit, then messages
    intake       what waits to be started, and when there is room
    schedules    recurring starts: kept, and started when they are due
    cron         when a schedule is due, and what becomes of missed runs
    announcing   telling those who wait
    requests     what the application asks of the coordinator
    recovery     from files to a running coordinator
    context      one batch of a context: one transaction for each command's effect and answer
    gateway      one call of a gateway
    guard        calling the author's code: nothing it does gets past

The actors in `saga.actors` drive them on threads; a simulator may drive them on one.
"""
