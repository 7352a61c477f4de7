"""A run in Markdown, short enough for a pull request."""

import re
from collections.abc import Iterable, Iterator, Sequence

from doubleread.core.trust import CalibrationError, Estimate
from doubleread.core.verdict_wording import in_points
from doubleread.evals.metrics.evaluation import Evaluation, ReaderFigures
from doubleread.evals.metrics.gates import GateResult
from doubleread.evals.metrics.panel_worth import worth

WIDEST = 12
"""Labels of a confusion matrix that still fits."""
WORST = 5


def markdown(found: Evaluation, gates: Sequence[GateResult] = ()) -> str:
    """What the panel is worth, gates, figures with intervals, agents, confusion matrix, worst subgroups; ends with a
    newline.
    """
    parts = [_head(found), _gates(gates), _figures(found), _readers(found), _confusion(found), _subgroups(found)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(found: Evaluation) -> str:
    r = found.resampling
    cases = f"{found.n:,} cases with a verdict, {found.labelled:,} of them labelled, in {r.clusters:,} groups."
    about = f"{cases} Intervals: 95 %, {r.draws:,} draws of whole groups."
    notes = [f"- ⚠ {_text(one)}" for one in found.warnings]
    title = f"## {_text(found.name)}: {_text(found.task)}"
    return "\n".join([title, "", _text(worth(found)), "", about, *(["", *notes] if notes else [])])


def _gates(results: Sequence[GateResult]) -> str:
    rows = [("✅" if one.passed else "❌", one.text, "" if one.sure else "the bound lies within") for one in results]
    return _table(("", "gate", ""), rows) if rows else ""


def _figures(found: Evaluation) -> str:
    return _table(("the panel", "value", "95 % interval"), _rows(found), right=(1, 2))


def _rows(found: Evaluation) -> Iterator[tuple[str, str, str]]:
    panel, decisions, sets, looks = found.panel, found.decisions, found.sets, found.second_looks
    if panel is not None:
        yield "accuracy", *_percent(panel.accuracy)
        yield "balanced accuracy", *_percent(panel.balanced_accuracy)
        yield "macro F1", *_number(panel.macro_f1)
        yield f"ECE ({_chance(panel.ece)})", *_number(panel.ece)
        yield "log-loss", *_number(panel.nll)
        yield "Brier score", *_number(panel.brier)
        yield f"wrong and surer than {panel.ocr_threshold:g}", *_percent(panel.ocr)
    yield f"committed ({decisions.committed:,}; {decisions.referred:,} referred)", *_percent(decisions.commitment)
    if decisions.committed_accuracy is not None:
        yield "accuracy of the committed", *_percent(decisions.committed_accuracy)
    if sets.coverage is not None:
        promised = "" if sets.promised is None else f" ({sets.promised:.0%} promised)"
        yield f"sets that hold the true label{promised}", *_percent(sets.coverage)
    if sets.worst is not None:
        yield f"… of {_text(sets.worst.label)}, the worst label", *_percent(sets.worst.coverage)
    yield "labels in a set", *_number(sets.size, 2)
    yield f"second looks ({looks.panel.helped} helped, {looks.panel.harmed} harmed)", *_percent(looks.share)
    if found.alarms.share is not None:
        yield f"unfamiliar images ({found.alarms.raised:,})", *_percent(found.alarms.share)
    if found.batch is not None and found.batch.auc is not None:
        yield (
            "pictures told from calibration's (AUC; .5: alike)",
            f"{found.batch.auc:.2f}",
            f"p {found.batch.p_value:.3f}",
        )
    if found.leaks.accuracy_without is not None:
        yield f"accuracy without {found.leaks.cases:,} near copies", *_percent(found.leaks.accuracy_without)
    yield f"US dollars a case (${found.money.total:.2f} in all)", *_number(found.money.each, 4)
    yield "seconds, median", *_number(found.seconds.p50, 2)
    yield "seconds, 95th percentile", *_number(found.seconds.p95, 2)


def _readers(found: Evaluation) -> str:
    if not found.agents:
        return ""
    rows = [
        (
            _text(one.reader),
            f"{one.n:,}",
            _with(*_percent(one.accuracy)),
            f"{one.ece.value:.3f}",
            f"{one.nll.value:.3f}",
            in_points(one.influence.value) if one.influence else "",
            f"{one.benefit.value:+.3f} ({one.benefit.low:+.3f} to {one.benefit.high:+.3f})" if one.benefit else "",
        )
        for one in found.readers
    ]
    head = ("reader, calibrated", "n", "accuracy", "ECE", "log-loss", "influence", "benefit")
    about = (
        "Influence: how far an agent moves a verdict, on average. Benefit: how much the log-loss of the calibration "
        "cases rises without it; below 0 it does harm."
    )
    return _table(head, rows, right=range(1, len(head))) + f"\n\n{about}"


def _confusion(found: Evaluation) -> str:
    panel = found.panel
    if panel is None:
        return ""
    if len(found.labels) > WIDEST:
        return _confused(found.labels, panel)
    names = [_text(name) for name in found.labels]
    rows = [
        (f"**{name}**", *(f"**{n}**" if i == j else str(n or "·") for j, n in enumerate(row)))
        for i, (name, row) in enumerate(zip(names, panel.confusion, strict=True))
    ]
    return _table(("true ↓ said →", *names), rows, right=range(1, len(names) + 1))


def _confused(labels: Sequence[str], panel: ReaderFigures) -> str:
    """Of many labels, the pairs that are confused most often."""
    pairs = [
        (n, _text(labels[i]), _text(labels[j]))
        for i, row in enumerate(panel.confusion)
        for j, n in enumerate(row)
        if i != j and n
    ]
    rows = [(true, said, str(n)) for n, true, said in sorted(pairs, key=lambda pair: -pair[0])[:10]]
    return _table(("true", "said", "cases"), rows, right=(2,)) if rows else ""


def _subgroups(found: Evaluation) -> str:
    judged = [(one, one.accuracy) for one in found.subgroups if one.accuracy is not None]
    worst = sorted(judged, key=lambda pair: (pair[0].small, pair[1].value))[:WORST]
    rows = [
        (
            f"{_text(one.column)} = {_text(one.value) or '(none)'}{' (too few to conclude from)' if one.small else ''}",
            f"{one.n:,}",
            _with(*_percent(accuracy)),
            f"{one.ece.value:.3f} ({_chance(one.ece)})" if one.ece else "",
        )
        for one, accuracy in worst
    ]
    return _table(("worst subgroups", "n", "accuracy", "ECE"), rows, right=(1, 2, 3)) if rows else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    aligned = set(right)
    rule = ["--:" if i in aligned else ":--" for i in range(len(head))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))


def _percent(e: Estimate) -> tuple[str, str]:
    return f"{e.value * 100:.1f} %", f"{e.low * 100:.1f} to {e.high * 100:.1f}"


def _number(e: Estimate | CalibrationError, digits: int = 3) -> tuple[str, str]:
    return f"{e.value:.{digits}f}", f"{e.low:.{digits}f} to {e.high:.{digits}f}"


def _with(value: str, interval: str) -> str:
    return f"{value} ({interval})"


def _chance(e: CalibrationError) -> str:
    return f"chance: up to {e.floor_high:.3f}"


def _text(words: str) -> str:
    """Words that cannot become markup, a link or another cell."""
    plain = " ".join(words.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_{}\[\]()#!|~@])", r"\\\1", plain)
