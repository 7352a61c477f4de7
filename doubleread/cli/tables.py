"""Tables of trust and of results."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from doubleread.agents.wire.budget import Spending
from doubleread.cli.screen import OUT, words_line
from doubleread.core.trust import CalibrationError, Estimate, PanelMember, TrustProfile, n_of, trust_version
from doubleread.evals.metrics.evaluation import PANEL, Evaluation, ReaderFigures
from doubleread.evals.metrics.panel_worth import subjects_worth, worth
from doubleread.evals.metrics.spending_rows import ASKED_TWICE, SPENDING, spending_cells
from doubleread.evals.trust_comparison import Comparison
from doubleread.orchestrator.metrics import shown_in
from doubleread.orchestrator.metrics.metric import PERCENT, Metric


def titled_table(title: str | Text, *columns: str | Text, left: int = 1, gap: int = 1) -> Table:
    """Returns an empty table in the common style, with ``left`` left-aligned columns before right-aligned ones.

    ``gap`` is the space between columns, beyond one character.
    """
    table = Table(
        title=title, title_justify="left", header_style="dim", box=SIMPLE_HEAD, show_edge=False, padding=(0, gap, 0, 0)
    )
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i < left else "right", no_wrap=True)
    return table


def csv_text(rows: Sequence[Mapping[str, object]]) -> str:
    """Formats rows with the same keys as CSV."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _readers_table(title: str) -> Table:
    metrics = (f"{one.symbol} %" if one.display.percent else one.symbol for one in shown_in("readers"))
    return titled_table(title, "agent", "images", *metrics, "influence", "benefit", gap=0)


def _add(
    table: Table, name: str, one: ReaderFigures | TrustProfile, of: Callable[[str], CalibrationError | Estimate | None]
) -> None:
    table.add_row(
        Text(name, style="bold" if name == PANEL else ""),
        n_of(one.n, one.abstained),
        *(_cell(metric, of(metric.name)) for metric in shown_in("readers")),
        f"{100 * one.influence.value:.1f}" if one.influence else "",
        _benefit(one.benefit) if one.benefit else "",
    )


def _add_unused(table: Table, member: PanelMember, p: TrustProfile | None) -> None:
    """Adds an agent that has no influence; it says so in that column, so that names stay short."""
    metrics = shown_in("readers")
    cells = ("" if p is None else _cell(one, _calibrated(p, one.name)) for one in metrics)
    table.add_row(Text(member.agent), member.answered, *cells, "not used" if member.unused else "")


def _cell(metric: Metric, e: CalibrationError | Estimate | None) -> str:
    """Formats a metric; a tick marks a calibration error within its chance level."""
    if e is None:
        return ""
    value = metric.display.number(e.value)
    if metric.with_interval:
        low, high = (metric.display.number(end, digits=0) for end in (e.low, e.high))
        return f"{value} ({low}–{high})"
    if isinstance(e, CalibrationError):
        return f"{value}{'✓' if e.value <= e.chance_high else ' '}"
    return value


def _benefit(e: Estimate) -> str:
    """Drops leading zeros, so that a row fits 80 columns."""
    return re.sub(r"\b0\.", ".", f"{e.value:+.3f} ({e.low:.3f}–{e.high:.3f})")


def figures(p: TrustProfile) -> dict[str, str | int | float | None]:
    """Returns a profile's metrics as a row, by name."""
    return {
        "agent": p.agent,
        "round": p.round,
        "confidence_source": p.confidence_source,
        "n": p.n,
        "abstained": p.abstained,
        "accuracy": p.accuracy.value,
        "accuracy_low": p.accuracy.low,
        "accuracy_high": p.accuracy.high,
        "ece": p.ece.value,
        "ece_chance_95": p.ece.chance_high,
        "classwise_ece": p.classwise_ece,
        "ocr": p.ocr,
        "ocr_threshold": p.ocr_threshold,
        "ccc": p.ccc,
        "brier": p.brier.value,
        "nll": p.nll.value,
        "accuracy_calibrated": _part(p.calibrated_accuracy),
        "nll_calibrated": _part(p.calibrated_nll),
        "ece_calibrated": _part(p.calibrated_ece),
        "influence": _part(p.influence),
        "benefit": _part(p.benefit),
        "benefit_low": _part(p.benefit, "low"),
        "benefit_high": _part(p.benefit, "high"),
        "version": p.version,
        "learned_from": p.learned_from,
        **{name: e.value for name, e in p.further.items()},
    }


def _part(e: CalibrationError | Estimate | None, part: str = "value") -> float | None:
    return None if e is None else float(getattr(e, part))


def show_trust(profiles: Sequence[TrustProfile], members: Sequence[PanelMember]) -> None:
    """Shows each agent's metrics on cases it was not fitted on: how good the best is, then all, the panel last.

    Agents are shown as the panel uses them, after calibration, the most accurate first; then the other members, and
    why they are not used.
    """
    left_out = {one.agent for one in members if one.unused}
    used = [p for p in profiles if p.agent not in left_out]
    best = {p.agent: (-_accuracy(p).value, p.agent) for p in sorted(used, key=lambda p: -p.round)}
    ranked = sorted(used, key=lambda p: (p.agent == PANEL, best[p.agent], p.round))
    version = trust_version(profiles)
    cases = "calibration images" + (f" and confirmed outcomes (version {version})" if version > 1 else "")
    lead = " ".join(_leading(ranked, cases))
    OUT.print(Text(lead))
    OUT.print()
    table = _readers_table(f"On the {cases}, after calibration")
    for p in ranked:
        _add(table, "  second look" if p.round > 1 else p.agent, p, partial(_calibrated, p))
    known = {p.agent: p for p in profiles if p.round == 1}
    for one in (one for one in members if one.unused or one.agent not in best):
        _add_unused(table, one, known.get(one.agent))
    OUT.print(table)
    _explain(lead)
    for line in filter(None, (one.note for one in members)):
        OUT.print(Text(line))


def _leading(ranked: Sequence[TrustProfile], cases: str) -> Iterator[str]:
    """Says how often the panel is right, and which agent is best alone."""
    agents = [p for p in ranked if p.agent != PANEL and p.round == 1]
    for p in (p for p in ranked if p.agent == PANEL):
        low, high = (PERCENT.number(end, digits=0) for end in (_accuracy(p).low, _accuracy(p).high))
        interval = f"(95 % interval: {low}–{high} %)"
        yield f"The panel was right on {PERCENT.value(_accuracy(p).value)} of {p.n:,} {cases} {interval}."
    if agents:
        best = agents[0]
        some = f" of the {best.n:,} that it answered" if best.abstained else ""
        yield f"The best agent alone is {best.agent}, right on {PERCENT.value(_accuracy(best).value)}{some}."


def _accuracy(p: TrustProfile) -> Estimate:
    return p.calibrated_accuracy or p.accuracy


def _explain(*texts: str) -> None:
    """Prints what the columns of the readers' table mean."""
    OUT.print()
    for name, meaning in _COLUMNS.items():
        OUT.print(f"[dim]{name:<10} {meaning}[/dim]", soft_wrap=True)
    words_line((*texts, *_COLUMNS, *_COLUMNS.values()))


_COLUMNS = {
    "accuracy": "right answers, with 95 % interval",
    "ECE": "calibration error: lower is better; ✓ means within the chance level",
    "log-loss": "lower is better; confident errors count most",
    "influence": "by how many points a verdict changes without the agent, on average",
    "benefit": "how much the panel's log-loss rises without it; below 0, it does harm",
}


def _calibrated(p: TrustProfile, name: str) -> CalibrationError | Estimate | None:
    found: CalibrationError | Estimate | None = getattr(p, f"calibrated_{name}", None) or getattr(p, name, None)
    return found or p.further.get(name)


def comparison_table(found: Comparison) -> Table:
    """Shows both sides, and whether the second is clearly better or worse."""
    table = titled_table(
        Text(f"{found.second} compared with {found.first}, after calibration"), "agent", "figure", left=2
    )
    for side in (found.first, found.second):
        table.add_column(Text(side), justify="right", overflow="fold")
    table.add_column("difference (95 %)", justify="right", no_wrap=True)
    table.add_column("")
    levels = {(r.reader, r.side): r.chance_high for r in found.reliability}
    metrics = {metric.symbol: metric for metric in shown_in("trust")}
    reader = ""
    for d in found.differences:
        if reader and reader != d.reader:
            table.add_section()
        metric = metrics[d.figure]
        values = [metric.display.value(value) for value in (d.first, d.second)]
        if metric.name == "ece":
            sides = zip(values, (found.first, found.second), strict=True)
            values = [f"{value} (chance {levels[d.reader, which]:.3f})" for value, which in sides]
        change, low, high = (metric.display.change(value) for value in (d.second - d.first, d.low, d.high))
        shown = Text(d.reader if d.reader != reader else "", style="bold" if d.reader == "panel" else "")
        table.add_row(shown, d.figure, *values, f"{change} ({low} to {high})", _MARKS[d.change])
        reader = d.reader
    return table


_MARKS = {
    "better": Text("▲ better", style="green"),
    "worse": Text("▼ worse", style="red"),
    "same": Text("· unclear", "dim"),
}


def spending_table(spent: Mapping[str, Spending]) -> Table:
    """Calls, answers from the cache, questions asked twice, tokens and cost of each agent that calls a model."""
    table = titled_table("Calls of models", *SPENDING)
    for name, one in spent.items():
        table.add_row(Text(name), *spending_cells(one))
    if any(one.repeated for one in spent.values()):
        table.caption, table.caption_justify = ASKED_TWICE, "left"
    return table


def show_evaluation(e: Evaluation) -> None:
    """Shows how good the panel is, the agents and the panel on unseen images, and what was decided on these."""
    lead = worth(e)
    OUT.print(Text(lead))
    OUT.print()
    readers = [*e.agents, *((e.panel,) if e.panel else ())]
    if readers:
        some = f"{e.judged_n} of {e.asked_n}" if e.left_out else f"{e.n}"
        table = _readers_table(f"On {some} unseen images, after calibration")
        for one in readers:
            _add(table, one.reader, one, one.metric)
        for silent in e.silent:
            table.add_row(Text(silent.reader), silent.answered)
        OUT.print(table)
        for silent in e.silent:
            OUT.print(Text(silent.note))
        OUT.print()
    if e.spending:
        OUT.print(spending_table(e.spending))
        OUT.print()
    OUT.print(_fates(e))
    if e.subjects is not None:
        OUT.print()
        OUT.print(Text(subjects_worth(e.subjects)))
    if readers:
        _explain(lead)


def _fates(e: Evaluation) -> Table:
    table = Table.grid(padding=(0, 2))
    d = e.decisions
    some = "them" if d.committed_n == d.committed else f"the {d.committed_n} with a label that the panel knows"
    right = f"{percent(d.committed_accuracy)} of {some} right" if d.committed_accuracy else ""
    table.add_row("[dim]committed[/dim]", str(d.committed), right)
    table.add_row("[dim]referred to a person[/dim]", str(d.referred), "")
    known = f" of the {e.labelled} with a known label" if e.labelled < e.n else ""
    covered = f"; {e.sets.coverage.value:.1%}{known} contain the true label" if e.sets.coverage else ""
    table.add_row("[dim]prediction sets[/dim]", f"{e.sets.size.value:.2f}", f"labels on average{covered}")
    moved = [one for one in e.second_looks.agents if one.helped or one.harmed]
    effects = "\n".join(f"{one.agent}: {one.helped} wrong → right, {one.harmed} right → wrong" for one in moved)
    table.add_row("[dim]second looks[/dim]", str(e.second_looks.cases), effects)
    if e.leaks.cases:
        others = e.leaks.accuracy_without
        clean = f"accuracy on the others {percent(others)}" if others else ""
        table.add_row("[dim]near copies of archived images[/dim]", f"[dark_orange]{e.leaks.cases}[/]", clean)
    return table


percent = PERCENT.estimate
"""Formats as ``93.1 % (90.0–95.4)``."""
