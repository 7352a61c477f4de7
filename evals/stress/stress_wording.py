"""A panel's robustness in plain words, and what readers of the figures must know."""

from collections.abc import Iterator, Sequence

from doubleread.core.notices import Caution
from doubleread.evals.metrics.calculation import FEW_CLUSTERS
from doubleread.evals.stress._stress_figures import StressReadings
from doubleread.evals.stress._stress_record import FEW, Condition, MeasuredFigure, Promise

MILD = 3
"""Up to this severity, pictures are no worse than an ordinary camera may take."""


def verdict(
    promise: Promise, clean: Condition, conditions: Sequence[Condition], overall: Sequence[Condition]
) -> tuple[str, ...]:
    """The answer first: whether the panel stays within its error limit, where it exceeds it first, and what it refers.

    A condition exceeds the limit if the estimated share of wrong answers among at least ten committed ones is above it.
    ``overall`` has all corruptions together, by severity.
    """
    return tuple(_sentences(promise, clean, conditions, overall))


def _sentences(
    promise: Promise, clean: Condition, conditions: Sequence[Condition], overall: Sequence[Condition]
) -> Iterator[str]:
    mild = [one for one in conditions if one.severity <= MILD] or list(conditions)
    yield from _kept(promise, max(one.severity for one in mild), worst(mild))
    if worst(conditions) is not None:
        yield _first(promise, conditions)
    yield _noticed(clean, overall[-1])
    yield f"Clean images: accuracy {_share(clean, 'accuracy')}; wrong among the committed {_share(clean, 'risk')}."


def breaks(one: Condition, promise: Promise) -> bool:
    """Whether more committed answers are wrong than the limit allows."""
    return one.risk is not None and one.risk.value > promise.risk


def worst(conditions: Sequence[Condition]) -> Condition | None:
    """The condition with the largest share of wrong committed answers; None if the panel commits too rarely to tell."""
    judged = [one for one in conditions if one.risk is not None]
    return max(judged, key=lambda one: one.risk.value if one.risk else 0.0, default=None)


def _kept(promise: Promise, top: int, found: Condition | None) -> Iterator[str]:
    if found is None or found.risk is None:
        yield (
            f"Up to severity {top}, the panel commits on fewer than {FEW} images in every condition: too few to judge."
        )
        return
    answer, risk = "exceeds" if breaks(found, promise) else "stays within", found.risk
    yield (
        f"Up to severity {top}, the panel {answer} its error limit of {percent(promise.risk)}: in the worst condition, "
        f"{_where(found)}, {percent(risk.value)} of its committed answers are wrong."
    )
    unsure = ", so more images are needed to tell" if risk.low <= promise.risk < risk.high else ""
    yield f"The 95 % interval of this share is {_reach(risk)}{unsure}. The limit follows from this: {promise.why}."


def _first(promise: Promise, conditions: Sequence[Condition]) -> str:
    rare = sum(one.risk is None for one in conditions)
    careful = (
        f" In {rare} of {len(conditions)} conditions it commits on fewer than {FEW} images, too few to judge."
        if rare
        else ""
    )
    broken = [one for one in conditions if breaks(one, promise)]
    if not broken:
        return f"In no condition are more than {percent(promise.risk)} of the committed answers wrong.{careful}"
    first = worst([one for one in broken if one.severity == min(other.severity for other in broken)])
    assert first is not None
    others = dict.fromkeys(one.corruption for one in broken if one.corruption != first.corruption)
    also = f" It is also exceeded, at this severity or above, with {', '.join(others)}." if others else ""
    share = percent(first.risk.value if first.risk else 0.0)
    return (
        f"The limit is first exceeded with {_where(first)}: {share} of the committed answers are wrong.{also}{careful}"
    )


def _noticed(clean: Condition, hardest: Condition) -> str:
    told = f"At severity {hardest.severity}, over all corruptions, accuracy is {_value(hardest, 'accuracy')} and "
    told += f"{_value(hardest, 'referred')} of the images are referred"
    if "alarm" not in hardest.figures:
        return f"{told}; the panel has too few calibration images to recognise unfamiliar ones."
    return f"{told}; {_value(hardest, 'alarm')} are recognised as unfamiliar (clean images: {_value(clean, 'alarm')})."


def _where(one: Condition) -> str:
    return f"{one.corruption} at severity {one.severity}"


def _value(one: Condition, figure: str) -> str:
    found = one.figures.get(figure)
    return "none" if found is None else percent(found.value)


def _share(one: Condition, figure: str) -> str:
    found = one.figures.get(figure)
    return "none" if found is None else f"{percent(found.value)} (95 % interval {_reach(found)})"


def _reach(found: MeasuredFigure) -> str:
    return f"{100 * found.low:.0f}–{100 * found.high:.0f} %, n = {found.n}"


def left_out(found: StressReadings) -> Iterator[str]:
    """Which images do not count, and why."""
    if found.unread:
        such = next(iter(found.unread.values()))
        yield Caution(f"{counted(len(found.unread), 'image')} could not be opened, such as {such}")
    if found.known:
        yield f"{counted(len(found.known), 'image')} left out: the archive holds nearly the same picture"


def partly(each: Sequence[Condition]) -> Iterator[str]:
    """What a reader must know of conditions that not every image is in."""
    silent_, failed = sum(one.silent for one in each), sum(one.failed for one in each)
    if silent_:
        unanswered = f"in {counted(silent_, 'reading')} no agent answered: counted as wrong, in the log-loss as uniform"
        yield Caution(unanswered)
    if failed:
        yield Caution(f"{counted(failed, 'corrupted picture')} could not be read")
    for name in dict.fromkeys(one.corruption for one in each if one.impossible):
        most = max(one.impossible for one in each if one.corruption == name)
        image = counted(most, "image")
        yield (
            f"{name}: not applied to {image}, whose background is not known (it needs one colour along the border, "
            "or transparency)"
        )


def narrow(groups: int) -> Iterator[str]:
    """A warning where there are few groups."""
    if groups < FEW_CLUSTERS:
        yield Caution(f"{counted(groups, 'group')}: with fewer than {FEW_CLUSTERS} the intervals are too narrow")


def counted(n: int, noun: str) -> str:
    """``1 image``, ``2 images``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def percent(share: float) -> str:
    """A share of 1 in per cent, with a decimal below 10."""
    return f"{100 * share:.{1 if 0 < share < 0.0995 else 0}f} %"
