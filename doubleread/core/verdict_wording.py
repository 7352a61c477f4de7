"""Wording about verdicts that all outputs share."""

from doubleread.core.verdict import Verdict

NOT_SURE = "Not sure: this image is unlike those the panel knows"
UNLIKE = "this image is unlike those the panel was trusted on: no probability and no track record applies to it"


def looks_like(verdict: Verdict) -> str:
    """Returns what an image that raised the alarm looks like, without numbers; empty if no agent gave an opinion."""
    return f"looks most like {verdict.label}" if verdict.label else ""


def in_points(influence: float) -> str:
    """Formats an influence, 0 to 1, in points: ``12 points``."""
    rounded = round(100 * influence)
    return "under 1 point" if not rounded and influence else f"{rounded} point{'' if rounded == 1 else 's'}"


def other_warnings(verdict: Verdict) -> tuple[str, ...]:
    """Returns the warnings that are not already reasons of the decision."""
    return tuple(warning for warning in verdict.warnings if warning not in verdict.decision.reasons)


def fitting_labels(verdict: Verdict) -> str:
    """Describes the prediction set and its coverage in a sentence; empty without guaranteed coverage."""
    if verdict.coverage is None:
        return ""
    level = f"{verdict.coverage:.0%}"
    if verdict.prediction_set:
        return f"labels that cannot be excluded at {level}: {', '.join(verdict.prediction_set)}"
    return (
        f"none of the labels fits at {level}: at least {level} of each label's held-out cases fit it better, so the "
        "image may show something else"
    )
