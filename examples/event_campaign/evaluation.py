"""What was wanted, and what has become of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

__all__ = ["Costs", "Evaluation", "Goals"]


@dataclass(frozen=True, slots=True)
class Goals:
    """What a person wants a conference to be."""

    attendees: int
    satisfaction: Decimal
    """The mean of the marks that visitors give, from 1 to 5."""
    budget: Decimal
    """What it may cost."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What it has cost, and for what."""

    hall: Decimal
    speakers: Decimal
    promotion: Decimal

    @property
    def total(self) -> Decimal:
        return self.hall + self.speakers + self.promotion


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The answer of a campaign."""

    goals: Goals
    talks: int
    registered: int
    attended: int
    income: Decimal
    costs: Costs
    answers: int
    satisfaction: Decimal | None
    """None: nobody has said anything."""

    @property
    def result(self) -> Decimal:
        """What is left, or was lost when it is negative."""
        return self.income - self.costs.total
