"""From a run's columns to everything it comes to."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from doubleread.core.errors import DataError
from doubleread.core.task import Task
from doubleread.core.trust import Estimate, PanelMember, TrustProfile
from doubleread.core.types import Labels, Matrix
from doubleread.core.verdict import Verdict
from doubleread.evals.datasets.label_hints import renaming
from doubleread.evals.metrics._reader_metrics import reader_figures, subgroups
from doubleread.evals.metrics.evaluation import (
    PANEL,
    Advantage,
    Alarms,
    Decisions,
    Evaluation,
    LabelCoverage,
    Leaks,
    Money,
    PredictionSets,
    ReaderFigures,
    Resampling,
    SecondLookEffect,
    SecondLooks,
    Seconds,
    SilentAgent,
)
from doubleread.evals.metrics.left_out import counted
from doubleread.evals.metrics.run_columns import NONE, AgentColumns, RunColumns, read_columns
from doubleread.evals.runs.row import Row
from doubleread.orchestrator.metrics import Flags
from doubleread.orchestrator.metrics.case_metrics import ACCURACY, NLL
from doubleread.orchestrator.metrics.draws import Draws, certain, estimate, percentiles
from doubleread.orchestrator.metrics.metric import CaseMetric
from doubleread.orchestrator.simplex import spoken

DRAWS = 1000
FEW_CLUSTERS = 20
"""Fewer groups than that make an interval too narrow."""


def evaluate(
    columns: RunColumns, *, name: str, members: Sequence[PanelMember] = (), draws: int = DRAWS, seed: int = 0
) -> Evaluation:
    """All figures of a run on the data set ``name``, with intervals over ``draws`` draws of whole groups.

    ``members`` are all agents of the panel, so that those without an answer are named too.
    Raises ``DataError`` where the run has no verdict, or a column makes too many subgroups.
    """
    if not columns.n:
        raise DataError(
            f"the run on {name!r} has no verdict to evaluate ({sum(columns.unread.values())} cases could not be read)"
        )
    drawn = Draws(columns.groups, draws=draws, seed=seed)
    task, labels = columns.task, columns.labels
    agents = [_agent(agent, said, columns, drawn) for agent, said in columns.agents.items()]
    readers = tuple(one for one in agents if one is not None)
    labelled = int(columns.labelled.sum())
    panel = reader_figures(PANEL, task, columns.posterior, labels, drawn)
    unknown = sum(columns.unknown_labels.values())
    left_out = counted(
        unknown_label=unknown,
        no_label=columns.n - labelled - unknown,
        unread=sum(columns.unread.values()),
        no_answer=labelled - (panel.n if panel else 0),
    )
    found = Evaluation(
        name=name,
        task=task.id,
        labels=task.names,
        n=columns.n,
        unread=sum(columns.unread.values()),
        unread_codes=columns.unread,
        labelled=labelled,
        unlabelled=columns.n - labelled,
        unknown_labels=columns.unknown_labels,
        left_out=left_out,
        panel=panel,
        agents=readers,
        silent=tuple(_silent(columns, {one.reader for one in readers}, members)),
        spending=columns.spending,
        advantages=tuple(_advantages(columns, drawn)),
        decisions=_decisions(columns, drawn),
        sets=_sets(columns, drawn),
        second_looks=_second_looks(columns, drawn),
        alarms=Alarms(
            judged=int(columns.judged.sum()),
            raised=int(columns.alarm.sum()),
            share=drawn.share(columns.alarm, columns.judged),
        ),
        leaks=_leaks(columns, drawn),
        money=Money(
            total=float(columns.cost.sum()),
            each=certain(drawn.mean(columns.cost)),
            unpriced=int(columns.unpriced.sum()),
        ),
        seconds=_seconds(columns, drawn),
        subgroups=tuple(subgroups(columns, drawn)),
        resampling=Resampling(draws=draws, seed=seed, clusters=drawn.clusters),
    )
    return found.model_copy(update={"warnings": tuple(_warnings(found))})


def evaluate_verdicts(
    verdicts: Iterable[Verdict], task: Task, trust: Sequence[TrustProfile], *, name: str, seed: int = 0
) -> Evaluation:
    """``evaluate`` on verdicts that are at hand; ``trust`` are the profiles of the panel that gave them."""
    rows = (Row(index=i, case=verdict.case, verdict=verdict) for i, verdict in enumerate(verdicts))
    return evaluate(read_columns(rows, task, trust), name=name, seed=seed)


def _agent(name: str, said: AgentColumns, columns: RunColumns, draws: Draws) -> ReaderFigures | None:
    found = reader_figures(name, columns.task, said.calibrated_first, columns.labels, draws)
    counted = ~np.isnan(said.influence)
    influence = draws.mean(np.where(counted, said.influence, 0), counted)
    return found and found.model_copy(update={"influence": influence, "benefit": said.benefit})


def _silent(columns: RunColumns, heard: Collection[str], members: Sequence[PanelMember]) -> Iterator[SilentAgent]:
    """The agents without an answer on any labelled case, in the panel's order."""
    if not columns.labelled.any():
        return
    unused = {one.agent: one.unused for one in members}
    for name in dict.fromkeys((*unused, *columns.agents)):
        if name not in heard:
            why = f"not used: {unused[name]}" if unused.get(name) else _main_cause(columns.causes.get(name, {}))
            yield SilentAgent(reader=name, abstained=int(columns.labelled.sum()), why=why)


def _main_cause(causes: Mapping[str, int]) -> str:
    if not causes:
        return "it was asked about no labelled image"
    cause, n = Counter(causes).most_common(1)[0]
    return f"no answer: {cause} on {n:,} of {sum(causes.values()):,} images"


def _advantages(columns: RunColumns, draws: Draws) -> Iterator[Advantage]:
    for agent, said in columns.agents.items():
        theirs, ours = said.calibrated_first, columns.posterior
        rows = columns.labelled & spoken(theirs) & spoken(ours)
        if not rows.any():
            continue
        yield Advantage(
            agent=agent,
            n=int(rows.sum()),
            accuracy=_gain(ACCURACY, ours, theirs, columns.labels, rows, draws),
            nll=_gain(NLL, ours, theirs, columns.labels, rows, draws),
        )


def _gain(metric: CaseMetric, ours: Matrix, theirs: Matrix, labels: Labels, rows: Flags, draws: Draws) -> Estimate:
    """By how much the panel is better on the cases ``rows``, case by case."""
    gains = np.zeros(len(rows))
    mine, other = (metric.of(P[rows], labels[rows]).astype(float) for P in (ours, theirs))
    gains[rows] = (mine - other) * metric.sign
    return certain(draws.mean(gains, rows))


def _decisions(columns: RunColumns, draws: Draws) -> Decisions:
    committed = columns.committed != NONE
    judged = committed & columns.labelled
    return Decisions(
        committed=int(committed.sum()),
        referred=int((~committed).sum()),
        commitment=certain(draws.share(committed)),
        committed_n=int(judged.sum()),
        committed_accuracy=draws.share(columns.committed == columns.labels, judged),
    )


def _sets(columns: RunColumns, draws: Draws) -> PredictionSets:
    holds = columns.sets[np.arange(columns.n), columns.labels] & columns.labelled
    size = columns.sets.sum(axis=1)
    of_label = {name: columns.labels == i for i, name in enumerate(columns.task.names)}
    labels = [
        LabelCoverage(label=name, n=int(rows.sum()), coverage=certain(draws.share(holds, rows)))
        for name, rows in of_label.items()
        if rows.any()
    ]
    return PredictionSets(
        promised=columns.promised,
        coverage=draws.share(holds, columns.labelled),
        labels=tuple(labels),
        size=certain(draws.mean(size)),
        sizes=tuple(np.bincount(size, minlength=len(columns.task.names) + 1).tolist()),
    )


def _second_looks(columns: RunColumns, draws: Draws) -> SecondLooks:
    both = spoken(columns.before) & spoken(columns.posterior)
    before = columns.before.argmax(axis=1) == columns.labels
    after = columns.said == columns.labels
    return SecondLooks(
        cases=int(columns.looked.sum()),
        share=certain(draws.share(columns.looked)),
        panel=_effect(PANEL, before, after, both & columns.looked & columns.labelled, draws),
        agents=tuple(_effect_on(name, said, columns, draws) for name, said in columns.agents.items()),
    )


def _effect_on(name: str, said: AgentColumns, columns: RunColumns, draws: Draws) -> SecondLookEffect:
    rows = said.again & columns.looked & columns.labelled
    return _effect(name, said.first_label == columns.labels, said.last_label == columns.labels, rows, draws)


def _effect(name: str, before: Flags, after: Flags, rows: Flags, draws: Draws) -> SecondLookEffect:
    return SecondLookEffect(
        agent=name,
        looked=int(rows.sum()),
        helped=int((rows & after & ~before).sum()),
        harmed=int((rows & before & ~after).sum()),
        gain=draws.mean(after.astype(float) - before, rows),
    )


def _leaks(columns: RunColumns, draws: Draws) -> Leaks:
    judged = columns.labelled & spoken(columns.posterior)
    some = bool(columns.leaked.any())
    return Leaks(
        cases=int(columns.leaked.sum()),
        accuracy_without=draws.share(columns.said == columns.labels, judged & ~columns.leaked) if some else None,
    )


def _seconds(columns: RunColumns, draws: Draws) -> Seconds:
    p50, p90, p95, p99 = map(estimate, percentiles(columns.seconds, (0.5, 0.9, 0.95, 0.99), draws))
    return Seconds(
        total=float(columns.seconds.sum()), p50=certain(p50), p90=certain(p90), p95=certain(p95), p99=certain(p99)
    )


def _warnings(found: Evaluation) -> Iterator[str]:
    if found.unread:
        yield f"{_counted(found.unread)} could not be read: {_listed(found.unread_codes)}"
    if found.unknown_labels:
        listed = _listed(found.unknown_labels)
        near = renaming(Counter(found.unknown_labels), found.labels)
        again = f"; if they are spelt differently only, evaluate again with {near}" if near else ""
        yield f"cases with labels that the task does not have were left out: {listed}{again}"
    if found.labelled and found.unlabelled > sum(found.unknown_labels.values()):
        yield f"{_counted(found.unlabelled - sum(found.unknown_labels.values()))} without a true label were left out"
    if found.panel and found.panel.abstained:
        yield f"no agent answered for {_counted(found.panel.abstained)}: accuracy and calibration do not count them"
    if found.money.unpriced:
        yield (
            f"{_counted(found.money.unpriced)} were answered by a model whose price is not known: they cost more "
            "than shown"
        )
    if found.leaks.cases:
        yield (
            f"{_counted(found.leaks.cases)} "
            f"{'is a near copy of an image' if found.leaks.cases == 1 else 'are near copies of images'} in the "
            "panel's archive; the accuracy without them is shown too"
        )
    if found.resampling.clusters < FEW_CLUSTERS:
        yield f"the cases come from only {found.resampling.clusters} groups, so the intervals are too narrow"


def _counted(n: int) -> str:
    return f"{n:,} case" if n == 1 else f"{n:,} cases"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({n})" for name, n in Counter(counts).most_common(5))
