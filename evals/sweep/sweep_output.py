"""A sweep as a drawing, what it gains against what it takes, and as a table for other programs."""

from collections.abc import Iterator

from doubleread.evals.drawings import Variation, sweep_diagram
from doubleread.evals.sweep._sweep_result import Sweep
from doubleread.evals.sweep.sweep_figures import sweep_figures

Value = str | float | int | None


def draw_sweep(found: Sweep) -> str:
    """An SVG: accuracy against second looks, money or cost; where decisions vary, wrong ones against referrals."""
    across, up = (sweep_figures()[name] for name in _axes(found))
    variations = [Variation(one.name, one.figures[across.name], one.figures[up.name]) for one in found.judged]
    return sweep_diagram(
        variations,
        title=f"{len(variations)} variants on unseen cases",
        across=across.title,
        up=up.title,
        n=found.n,
        percent=(across.display.percent, up.display.percent),
    )


def _axes(found: Sweep) -> tuple[str, str]:
    """The figures across and up: those that the settings which vary have in their power."""
    variants = [one.variant for one in found.judged]

    def vary(name: str) -> bool:
        return len({getattr(one, name) for one in variants}) > 1

    if vary("cascade"):
        return "usd", "accuracy"
    if vary("max_share"):
        return "looked_again", "accuracy"
    return ("referred", "wrong") if vary("referral") or vary("max_risk") else ("cost", "accuracy")


def flat(found: Sweep) -> Iterator[dict[str, Value]]:
    """One row a variant: its settings, each figure with its interval, and differences to the first variant."""
    for one in found.judged:
        row: dict[str, Value] = {"name": one.name, "n": found.n}
        for key, value in one.variant:
            row[key] = "+".join(value) if isinstance(value, tuple) else value
        for prefix, estimates in (("", one.figures), ("change_", one.difference)):
            for figure in sweep_figures():
                e = estimates.get(figure)
                for part, end in (("value", ""), ("low", "_low"), ("high", "_high")):
                    row[f"{prefix}{figure}{end}"] = None if e is None else getattr(e, part)
        yield {**row, "decided_otherwise": one.decided_otherwise, "p_cost": one.p}
