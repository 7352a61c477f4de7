"""What a sweep found."""

from doubleread.core.base import Record
from doubleread.core.trust import Estimate
from doubleread.evals.sweep._variant import Variant


class VariantScore(Record):
    """A variant on cases that had no part in it; intervals are 95 %, over whole groups.

    Examples:
        >>> from pathlib import Path
        >>> from doubleread.evals.sweep import RecordedAnswers, sweep, variants_of
        >>> from doubleread.panel.panel_folder import read_panel
        >>> recorded = RecordedAnswers.of(read_panel(Path("panel"), None))
        >>> found = sweep(recorded, variants_of(recorded.first, ["referral=0.05"]), draws=20)
        >>> 0 <= found.judged[1].figures["referred"].value <= 1
        True
    """

    name: str
    variant: Variant
    figures: dict[str, Estimate]
    """By name, see ``sweep_figures``. Accuracy is that of the leading label, committed to or not."""
    difference: dict[str, Estimate]
    """To the first variant, on the same cases; without ``cost`` where a referral costs something else."""
    decided_otherwise: int
    """Cases on which it decides differently from the first variant."""
    p: float | None = None
    """That a difference in cost as large as this is chance, Holm-adjusted for all variants; None without one."""


class Pick(Record):
    """The honest price of choosing: the cheapest variant on other cases, judged on these."""

    variants: int
    """Those that were chosen from: they decide at the same costs."""
    best: str
    """The cheapest on all cases…"""
    best_cost: float
    """… and its cost on the same cases, which is too low because it was chosen on them."""
    cost: Estimate
    """Of the variant that was cheapest on the other parts of the cases, part by part."""
    difference: Estimate
    """To the first variant."""
    picked: dict[str, float]
    """Which variants were chosen, with the share of cases tested with them."""


class RefusedVariant(Record):
    """A variant that the record cannot answer, and why."""

    name: str
    why: str


class Sweep(Record):
    """All variants, the first being what the others are compared with.

    Examples:
        >>> from pathlib import Path
        >>> from doubleread.evals.sweep import RecordedAnswers, sweep, variants_of
        >>> from doubleread.panel.panel_folder import read_panel
        >>> recorded = RecordedAnswers.of(read_panel(Path("panel"), None))
        >>> found = sweep(recorded, variants_of(recorded.first, ["referral=0.05"]), draws=20)
        >>> [one.name for one in found.judged]
        ['as it is', 'referral=0.05']
    """

    learned_from: str
    n: int
    groups: int
    judged: tuple[VariantScore, ...]
    refused: tuple[RefusedVariant, ...] = ()
    pick: Pick | None = None
    """None for a single variant."""
    notes: tuple[str, ...] = ()
