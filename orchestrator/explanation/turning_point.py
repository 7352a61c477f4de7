"""One turning point of a verdict, and how it is told."""

from typing import Literal

from doubleread.core.base import Record
from doubleread.core.verdict import Action

RAREST, COMMONEST = 0.001, 0.999
"""Prevalences beyond these are not worth telling."""


class TurningPoint(Record):
    """Where one cost or one prevalence, all else as it is, turns the verdict; ``at`` None: nowhere.

    ``referral``: the cost of a referral. ``error``: the cost of committing to ``instead`` where ``label`` is true.
    ``prevalence``: the share of ``label``, the others in proportion, from 0.1 to 99.9 %.
    """

    of: Literal["referral", "error", "prevalence"]
    label: str | None = None
    instead: str | None = None
    now: float
    at: float | None = None
    action: Action | None = None
    """Beyond the crossing, as the two that follow; None where there is none."""
    commits_to: str | None = None
    leading: str | None = None
    """The likeliest label, where it is another than now."""

    @property
    def line(self) -> str:
        """The point as a sentence."""
        if self.at is None:
            return self._nowhere()
        return f"it would {self._turned()} if {self._condition(self.at)}"

    def _turned(self) -> str:
        finding = f", finding {self.leading} likeliest," if self.leading and self.leading != self.commits_to else ""
        return f"commit to {self.commits_to}{finding}" if self.action == "commit" else f"refer{finding}"

    def _condition(self, at: float) -> str:
        if self.of == "prevalence":
            than = "more" if at > self.now else "less"
            return f"{self.label} were {than} than {at:.1%} of cases (taken to be {self.now:.1%})"
        # An error that costs just as much as the commitment bears turns it by costing more, a referral by costing less.
        than = "more" if at > self.now or (at == self.now and self.of == "error") else "less"
        return f"{self._priced()} cost {than} than {at:.3g} (now {self.now:.3g})"

    def _priced(self) -> str:
        return "a referral" if self.of == "referral" else f"calling {self.label} {self.instead}"

    def _nowhere(self) -> str:
        if self.of == "referral":
            return "no cost of a referral would change it: the commitment is expected to cost nothing"
        if self.of == "error":
            return f"it would refer even if {self._priced()} cost nothing"
        span = f"from {RAREST:.1%} to {COMMONEST:.1%}"
        return f"no prevalence of {self.label} {span} would change it (taken to be {self.now:.1%})"
