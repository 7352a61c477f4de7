"""A run in Markdown, short enough for a pull request."""

from collections.abc import Iterable, Iterator, Sequence

from doubleread.core.glossary import words_in
from doubleread.core.trust import CalibrationError, n_of
from doubleread.core.verdict_wording import in_points
from doubleread.evals.metrics.evaluation import Evaluation, ReaderFigures, Subgroup
from doubleread.evals.metrics.gates import GateResult
from doubleread.evals.metrics.panel_worth import benefit, subjects_worth, worth
from doubleread.evals.metrics.run_figures import markdown_text, run_figures
from doubleread.evals.metrics.spending_rows import ASKED_TWICE, SPENDING, spending_cells
from doubleread.orchestrator.metrics import shown_in
from doubleread.orchestrator.metrics.calibration_metrics import ECE
from doubleread.orchestrator.metrics.case_metrics import ACCURACY
from doubleread.orchestrator.metrics.metric import Found, Metric

WIDEST = 12
"""Labels of a confusion matrix that still fits."""
WORST = 5


def markdown(found: Evaluation, gates: Sequence[GateResult] = ()) -> str:
    """How good the panel is, gates, figures with intervals, agents, confusion matrix, worst subgroups, and words."""
    parts = [
        _head(found),
        _gates(gates),
        _figures(found),
        _subjects(found),
        _readers(found),
        _spending(found),
        _confusion(found),
        _subgroups(found),
    ]
    text = "\n\n".join(part for part in parts if part)
    words = ", ".join(term.name for term in words_in([text]))
    return f"{text}\n\nWords: {words}. `doubleread glossary WORD` explains them, as does `docs/glossary.md`.\n"


def _head(found: Evaluation) -> str:
    r = found.resampling
    cases = f"{found.n:,} cases with a verdict, {found.labelled:,} of them labelled, in {r.clusters:,} groups."
    about = f"{cases} Intervals: 95 %, {r.draws:,} bootstrap draws of whole groups."
    notes = [f"- ⚠ {markdown_text(one)}" for one in found.warnings]
    title = f"## {markdown_text(found.name)}: {markdown_text(found.task)}"
    return "\n".join([title, "", markdown_text(worth(found)), "", about, *(["", *notes] if notes else [])])


def _gates(results: Sequence[GateResult]) -> str:
    rows = [
        ("✅" if one.passed else "❌", one.text, "" if one.sure else "not certain: the bound lies within the interval")
        for one in results
    ]
    return _table(("", "gate", ""), rows) if rows else ""


def _figures(found: Evaluation) -> str:
    return _table(("the panel", "value", "95 % interval"), _rows(found), right=(1, 2))


def _rows(found: Evaluation) -> Iterator[tuple[str, str, str]]:
    for figure in run_figures().values():
        e, title = figure.of(found), figure.row(found)
        if title and e is not None:
            chance = f" ({_chance(e)})" if isinstance(e, CalibrationError) else ""
            yield f"{title}{chance}", figure.display.value(e.value), figure.display.interval(e, " to ")
        if figure.name == "alarms" and found.batch is not None and found.batch.auc is not None:
            auc, p = found.batch.auc, found.batch.p_value
            yield "unlike the calibration images as a whole (AUC; 0.5: not at all)", f"{auc:.2f}", f"p {p:.3f}"


def _subjects(found: Evaluation) -> str:
    return "" if found.subjects is None else markdown_text(subjects_worth(found.subjects))


def _readers(found: Evaluation) -> str:
    if not found.agents and not found.silent:
        return ""
    metrics = shown_in("readers")
    rows = [
        (
            markdown_text(one.reader),
            n_of(one.n, one.abstained),
            *(_cell(metric, one.metric(metric.name)) for metric in metrics),
            in_points(one.influence.value) if one.influence else "",
            benefit(one.benefit) if one.benefit else "",
        )
        for one in found.readers
    ]
    empty = [""] * (len(metrics) + 2)
    rows += [(markdown_text(one.reader), one.answered, *empty) for one in found.silent]
    head = ("agent, calibrated", "n", *(metric.heading for metric in metrics), "influence", "benefit")
    about = (
        "Influence: by how many points a verdict changes without the agent, on average. Benefit: how much the panel's "
        "log-loss on the calibration images rises without the agent; below 0, the agent does harm."
    )
    silent = "".join(f"\n- {markdown_text(one.note)}" for one in found.silent)
    return _table(head, rows, right=range(1, len(head))) + (f"\n{silent}" if silent else "") + f"\n\n{about}"


def _spending(found: Evaluation) -> str:
    if not found.spending:
        return ""
    rows = [(markdown_text(name), *spending_cells(one)) for name, one in found.spending.items()]
    about = f"\n\n{ASKED_TWICE}." if any(one.repeated for one in found.spending.values()) else ""
    return _table(SPENDING, rows, right=range(1, len(SPENDING))) + about


def _cell(metric: Metric, e: Found) -> str:
    if e is None:
        return ""
    shown = metric.display
    return f"{shown.value(e.value)} ({shown.interval(e, ' to ')})" if metric.with_interval else shown.value(e.value)


def _confusion(found: Evaluation) -> str:
    panel = found.panel
    if panel is None:
        return ""
    if len(found.labels) > WIDEST:
        return _confused(found.labels, panel)
    names = [markdown_text(name) for name in found.labels]
    rows = [
        (f"**{name}**", *(f"**{n}**" if i == j else str(n or "·") for j, n in enumerate(row)))
        for i, (name, row) in enumerate(zip(names, panel.confusion, strict=True))
    ]
    return _table(("true label ↓ answer →", *names), rows, right=range(1, len(names) + 1))


def _confused(labels: Sequence[str], panel: ReaderFigures) -> str:
    """Of many labels, the pairs that are confused most often."""
    pairs = [
        (n, markdown_text(labels[i]), markdown_text(labels[j]))
        for i, row in enumerate(panel.confusion)
        for j, n in enumerate(row)
        if i != j and n
    ]
    rows = [(true, said, str(n)) for n, true, said in sorted(pairs, key=lambda pair: -pair[0])[:10]]
    return _table(("true label", "answer", "cases"), rows, right=(2,)) if rows else ""


def _subgroups(found: Evaluation) -> str:
    judged = [(one, one.accuracy) for one in found.subgroups if one.accuracy is not None]
    worst = sorted(judged, key=lambda pair: (pair[0].small, pair[1].value))[:WORST]
    rows = [
        (
            _group(one) + (" (too few cases to judge)" if one.small else ""),
            f"{one.n:,}",
            _cell(ACCURACY, accuracy),
            f"{ECE.display.value(one.ece.value)} ({_chance(one.ece)})" if one.ece else "",
        )
        for one, accuracy in worst
    ]
    return _table(("worst subgroups", "n", "accuracy", "ECE"), rows, right=(1, 2, 3)) if rows else ""


def _group(one: Subgroup) -> str:
    return f"{markdown_text(one.column)} = {markdown_text(one.value) or '(none)'}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    aligned = set(right)
    rule = ["--:" if i in aligned else ":--" for i in range(len(head))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))


def _chance(e: CalibrationError) -> str:
    return f"chance level: up to {e.chance_high:.3f}"
