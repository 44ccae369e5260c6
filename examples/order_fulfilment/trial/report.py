"""The report of a trial: what became of the orders, a few stories, and whether the books agree."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Generator, Iterable, Iterator

from examples.order_fulfilment.outside import fate
from examples.order_fulfilment.trial.card_search import traces_of_cards
from examples.order_fulfilment.trial.evidence import COMPLETED, REFUSED_AT_CHECKOUT, Evidence, gather
from examples.order_fulfilment.trial.folder import Facts, Folder
from examples.order_fulfilment.trial.reconciliation import Findings, findings, reconcile
from examples.order_fulfilment.trial.timeline import timelines
from saga.verification import verify_store

__all__ = ["report"]

MOST_MEMORY_MB = 150
FAULTS_SHOWN = 8
WIDTH = 80

REASONS = {
    COMPLETED: "completed",
    f"{COMPLETED}, paid with credit": "completed, all of it paid with credit",
    f"{COMPLETED}, paid partly with credit": "completed, credit first and then the card",
    f"{COMPLETED}, with another card": "completed, the card had expired and another one was given",
    f"{COMPLETED}, with another card, after a reminder": "completed, the other card only after a reminder",
    REFUSED_AT_CHECKOUT: "refused by Checkout, from its copy of the stock",
    "sold-out": "rolled back: sold out meanwhile",
    "card-declined": "rolled back: the card was declined",
    "no-card": "rolled back: no valid card",
    "timeout": "rolled back: the goods were not found within 12 hours",
    "no-carrier": "rolled back: no carrier for the address",
}
TOO_LATE = "rolled back: the shop was closed when the goods were fetched"


def report(folder: Folder, facts: Facts) -> bool:
    """Print the report; return whether everything is as it must be."""
    evidence = gather(folder, facts.orders)
    checks = [*reconcile(evidence), *_further_checks(folder, facts)]
    text = "\n".join(["", *_outcomes(evidence, facts), "", *timelines(folder, evidence), *_verdict(checks)])
    last = findings("no card number outside Payment's files", _cards(folder, facts, text))
    print("\n".join([text, *_check_lines(last)]))
    faults = sum(len(check.faults) for check in [*checks, last])
    print()
    print(f"NOT RECONCILED, see above: {faults:,}." if faults else "Everything is reconciled.")
    return not faults


def _outcomes(evidence: Evidence, facts: Facts) -> Iterator[str]:
    outcomes = Counter(_reason(evidence, order_id) for order_id in evidence.baskets)
    sagas = sum(map(len, [*evidence.sagas.values(), *evidence.called.values()]))
    pace = sagas / max(facts.seconds, 0.1)
    yield f"{len(evidence.baskets):,} orders in {facts.seconds:.0f} s; {sagas:,} sagas, {pace:.1f} sagas/s:"
    yield f"they come as fast as the shoppers, {facts.factor:g} times. (For its speed: run.py bench)"
    yield f"{facts.kills} kills with signal 9, {facts.kills_while_opening} of them while it was coming back;"
    yield f"the shop was closed for {facts.longest_away_s:.1f} s at most."
    yield ""
    for reason, count in outcomes.most_common():
        yield f"  {count:5,}  {reason}"


def _reason(evidence: Evidence, order_id: str) -> str:
    kind = evidence.kind(order_id)
    if kind == "timeout" and fate.time_to_fetch(order_id) is not None:
        return TOO_LATE
    return REASONS.get(kind, kind)


def _further_checks(folder: Folder, facts: Facts) -> Iterator[Findings]:
    """What is checked beside the books."""
    yield findings("saga's own verification of the store", _integrity(folder))
    yield findings("kills that hit a running worker", _kills(facts))
    yield findings("memory of the worker", _memory(facts))


def _integrity(folder: Folder) -> Generator[str, None, str]:
    """What `saga verify` says: files and chains are whole; journals, replayed, give what is stored."""
    yield from (str(finding) for finding in verify_store(folder.shop) if finding.severity == "error")
    return "files, chains, every journal replayed"


def _kills(facts: Facts) -> Generator[str, None, str]:
    """As many as were planned."""
    if facts.kills != facts.kills_planned:
        yield f"{facts.kills_planned} were planned, {facts.kills} happened"
    return f"{facts.kills} of {facts.kills_planned}"


def _memory(facts: Facts) -> Generator[str, None, str]:
    """No worker has used more than it may."""
    if facts.peak_memory_kb is None:
        return "not measured, this system does not tell"
    used = facts.peak_memory_kb / 1024
    if used > MOST_MEMORY_MB:
        yield f"the worker has used {used:.0f} MB, more than {MOST_MEMORY_MB}"
    return f"{used:.0f} MB at most, {MOST_MEMORY_MB} allowed"


def _cards(folder: Folder, facts: Facts, said: str) -> Generator[str, None, str]:
    """Neither in what is left, nor in the write-ahead logs of the last kill, nor in what is shown here."""
    yield from traces_of_cards(folder, facts.orders, said)
    return f"{len([*folder.files()])} files searched"


def _verdict(checks: Iterable[Findings]) -> Iterator[str]:
    yield "Reconciliation"
    for check in checks:
        yield from _check_lines(check)


def _check_lines(check: Findings) -> Iterator[str]:
    mark = "OFF" if check.faults else "ok "
    yield textwrap.fill(f"  {mark} {check.title:38} {check.figures}", WIDTH, subsequent_indent=" " * 45)
    for fault in check.faults[:FAULTS_SHOWN]:
        yield textwrap.fill(fault, WIDTH, initial_indent=" " * 6 + "! ", subsequent_indent=" " * 8)
    if len(check.faults) > FAULTS_SHOWN:
        yield f"      ! and {len(check.faults) - FAULTS_SHOWN:,} more"
