"""The figures of a report in words: one sentence that sums up, tiles, the agents' table, what was run."""

import json
from typing import NamedTuple

from doubleread.core.trust import CalibrationError, TrustProfile, n_of
from doubleread.core.verdict_wording import in_points
from doubleread.evals.metrics.evaluation import Evaluation, SilentAgent
from doubleread.evals.metrics.left_out import reasons
from doubleread.evals.metrics.panel_worth import benefit, worth
from doubleread.evals.runs.run_record import RunRecord
from doubleread.orchestrator.metrics import shown_in
from doubleread.orchestrator.metrics.metric import PERCENT, Found, Metric


class Tile(NamedTuple):
    """One figure; ``target`` is the filter that shows the cases behind it."""

    name: str
    figure: str
    about: str
    target: str = ""


class AgentRow(NamedTuple):
    """One reader in the table of agents, everything as it is shown."""

    reader: str
    answered: str
    cells: list[str]
    """Of each metric that the report shows."""
    influence: float | None
    """How far it changes a verdict, on average; None for the panel."""
    moves: str
    benefit: str
    """How much the log-loss of the calibration cases rises without it."""
    fitted: str
    """Accuracy on the calibration images, after calibration."""
    wrong: int
    note: str = ""
    """Why there are no figures of it; empty if there are."""


percent, between = PERCENT.value, PERCENT.estimate


def metric_headings() -> list[str]:
    """Above the cells of an ``AgentRow``."""
    return [metric.heading for metric in shown_in("report")]


def _cell(metric: Metric, e: Found) -> str:
    """A calibration error with a mark that says whether it is above its chance level."""
    if e is None:
        return "–"
    value = metric.display.value(e.value)
    if isinstance(e, CalibrationError):
        return f"{'✓' if e.value <= e.chance_high else '▲'} {value} (chance {metric.display.number(e.chance_high)})"
    return metric.display.estimate(e) if metric.with_interval else value


def lead(e: Evaluation) -> str:
    """The result of the run, in a few sentences."""
    d = e.decisions
    rest = "the rest" if d.committed_n == d.committed else f"the {d.committed_n:,} others whose label it knows"
    kept = f", and was right on {percent(d.committed_accuracy.value)} of {rest}" if d.committed_accuracy else ""
    handed = f"{d.referred:,} of {e.n:,} cases" if d.referred else "no case"
    return f"{worth(e)} The panel referred {handed} to a person{kept}."


def tiles(e: Evaluation, counts: dict[str, int]) -> list[Tile]:
    """The main figures, most important first."""
    return [*_judged(e), *_decided(e), *_looked(e), *_spent(e), *_odd(e, counts)]


def _judged(e: Evaluation) -> list[Tile]:
    if e.panel is None:
        return []
    p = e.panel
    name, n = ("Accuracy", f"{p.n:,} of {e.asked_n:,}") if e.left_out else ("Accuracy, all cases", f"{p.n:,}")
    return [
        Tile(name, percent(p.accuracy.value), f"{PERCENT.interval(p.accuracy)}, n {n}", "show=wrong"),
        Tile("Calibration error (ECE)", f"{p.ece.value:.3f}", _chance(p.ece), "by=panel&show=sure"),
    ]


def _decided(e: Evaluation) -> list[Tile]:
    d, sets = e.decisions, e.sets
    made = []
    if d.committed_accuracy:
        about = f"{PERCENT.interval(d.committed_accuracy)}, n {d.committed_n:,}"
        made.append(Tile("Right when it commits", percent(d.committed_accuracy.value), about, "show=slipped"))
    made.append(Tile("Referred to a person", percent(1 - d.commitment.value), f"{d.referred:,} cases", "show=referred"))
    if sets.coverage:
        promised = f"promised {sets.promised:.0%}".replace("%", " %") if sets.promised else ""
        about = ", ".join(filter(None, (promised, f"mean size {sets.size.value:.2f}", f"n {e.labelled:,}")))
        made.append(Tile("True label in the prediction set", percent(sets.coverage.value), about, "show=outside"))
    return made


def _looked(e: Evaluation) -> list[Tile]:
    looks = e.second_looks
    about = f"{looks.cases:,} cases: {looks.panel.helped} helped, {looks.panel.harmed} harmed"
    return [Tile("Second looks", percent(looks.share.value), about, "show=looked")] if looks.cases else []


def _spent(e: Evaluation) -> list[Tile]:
    time = Tile("Time per case", f"{_seconds(e.seconds.p50.value)}", f"95 % within {_seconds(e.seconds.p95.value)}")
    if e.money.total <= 0:
        return [time]
    unpriced = f", {e.money.unpriced} without a known price" if e.money.unpriced else ""
    return [time, Tile("Cost per case", f"${e.money.each.value:.4f}", f"${e.money.total:,.2f} in all{unpriced}")]


def _odd(e: Evaluation, counts: dict[str, int]) -> list[Tile]:
    made = []
    if e.alarms.judged:
        share = e.alarms.share.value if e.alarms.share else 0.0
        made.append(
            Tile("Unfamiliar", percent(share), f"{e.alarms.raised:,} of {e.alarms.judged:,}", "show=unfamiliar")
        )
    if e.leaks.cases:
        without = f"accuracy without: {percent(e.leaks.accuracy_without.value)}" if e.leaks.accuracy_without else ""
        made.append(
            Tile("Near copies", f"{e.leaks.cases:,}", without or "of images in the panel’s archive", "show=leaked")
        )
    if e.left_out:
        made.append(Tile("Left out", percent(e.left_out_share), f"of {e.asked_n:,} images: {reasons(e.left_out)}"))
    if counts["unread"]:
        made.append(Tile("Not read", f"{counts['unread']:,}", "not counted in any figure", "show=unread"))
    return made


def agent_rows(run: RunRecord, e: Evaluation) -> list[AgentRow]:
    """The panel and its agents side by side, all after calibration; influence and trust where they have them."""
    fitted, metrics = {p.agent: p for p in run.trust if p.round == 1}, shown_in("report")
    spoken = [
        AgentRow(
            reader=r.reader,
            answered=n_of(r.n, r.abstained),
            cells=[_cell(metric, r.metric(metric.name)) for metric in metrics],
            influence=r.influence.value if r.influence else None,
            moves=in_points(r.influence.value) if r.influence else "–",
            benefit=benefit(r.benefit) if r.benefit else "–",
            fitted=_fitted(fitted.get(r.reader)),
            wrong=sum(map(sum, r.confusion)) - sum(row[i] for i, row in enumerate(r.confusion)),
        )
        for r in e.readers
    ]
    return [*spoken, *(_silent_row(one, fitted.get(one.reader)) for one in e.silent)]


def _silent_row(one: SilentAgent, profile: TrustProfile | None) -> AgentRow:
    return AgentRow(
        reader=one.reader,
        answered=one.answered,
        cells=["–" for _ in shown_in("report")],
        influence=None,
        moves="–",
        benefit="–",
        fitted=_fitted(profile),
        wrong=0,
        note=one.note,
    )


def _fitted(profile: TrustProfile | None) -> str:
    return between(profile.calibrated_accuracy or profile.accuracy) if profile else ""


def provenance_lines(run: RunRecord, e: Evaluation) -> list[tuple[str, str]]:
    """What was run, on what, with what: names and values."""
    shard = [("shard", f"{run.shard.number} of {run.shard.of}")] if run.shard else []
    unread = ", ".join(f"{code}: {n}" for code, n in e.unread_codes.items())
    return [
        ("data", f"{run.name} ({run.cases:,} cases{', not read: ' + unread if unread else ''})"),
        *shard,
        ("task", f"{run.task.id}: {', '.join(run.task.names)}"),
        ("panel", run.panel),
        ("archive", run.archive),
        ("run", run.digest),
        ("started", run.started.isoformat(sep=" ", timespec="seconds")),
        ("seed", str(run.seed)),
        (
            "intervals",
            f"95 %, {e.resampling.draws:,} draws of {e.resampling.clusters:,} groups, seed {e.resampling.seed}",
        ),
        ("versions", json.dumps(run.provenance, indent=1, ensure_ascii=False)),
        ("settings", json.dumps(run.settings, indent=1, ensure_ascii=False)),
    ]


def _chance(ece: CalibrationError) -> str:
    side = "within the" if ece.value <= ece.chance_high else "above the"
    return f"{side} chance level (up to {ece.chance_high:.3f})"


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
