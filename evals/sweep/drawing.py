"""The drawing of a sweep: what it gains against what it takes."""

from doubleread.evals.drawings import Variation, sweep_diagram
from doubleread.evals.sweep.sweep_result import SHARES, Sweep

_WORDS = {
    "accuracy": "accuracy",
    "wrong": "wrongly committed",
    "referred": "referred",
    "looked_again": "looked at again",
    "cost": "cost a case, in ordinary errors",
    "usd": "US dollars a case",
}


def draw_sweep(found: Sweep) -> str:
    """An SVG: accuracy against second looks, money or cost; where decisions vary, wrong ones against referrals."""
    across, up = _axes(found)
    variations = [Variation(one.name, one.figures[across], one.figures[up]) for one in found.judged]
    return sweep_diagram(
        variations,
        title=f"{len(variations)} variants on unseen cases",
        across=_WORDS[across],
        up=_WORDS[up],
        n=found.n,
        percent=(across in SHARES, up in SHARES),
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
