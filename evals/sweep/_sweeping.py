"""Every variant learned from recorded answers and replayed on cases that had no part in it."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from doubleread.core.errors import DataError
from doubleread.core.notices import warn_user
from doubleread.core.progress import Progress
from doubleread.evals.sweep._chance_control import Resamples
from doubleread.evals.sweep._recorded import RecordedAnswers, UnseenCases
from doubleread.evals.sweep._scoring import Bench, judged, pick
from doubleread.evals.sweep._sweep_result import RefusedVariant, Sweep
from doubleread.evals.sweep._variant import Variant
from doubleread.evals.sweep._variant_replay import play, task_of
from doubleread.evals.sweep.sweep_figures import VariantOutcomes
from doubleread.orchestrator.course.kept import readings_of
from doubleread.orchestrator.learning.arbitration import Readings
from doubleread.orchestrator.resampling import Fold, group_codes, grouped_folds
from doubleread.render.progress_display import shown

PARTS = 5
"""Parts of a run, whole groups each, for choosing a variant on other cases."""


def sweep(
    recorded: RecordedAnswers,
    variants: Sequence[Variant],
    unseen: UnseenCases | None = None,
    *,
    draws: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Sweep:
    """Judges ``variants``, the first of which the others are compared with.

    Without ``unseen`` each calibration case is judged by a fit on other folds; with it, the run's cases are by a fit on
    all calibration cases. A variant that asks for answers that are not on record is refused, and said why; raises
    ``DataError`` where that is the first, or where a variant cannot be learned.

    Examples:
        >>> from pathlib import Path
        >>> from doubleread.evals.sweep import RecordedAnswers, sweep, variants_of
        >>> from doubleread.panel.panel_folder import read_panel
        >>> recorded = RecordedAnswers.of(read_panel(Path("panel"), None))
        >>> sweep(recorded, variants_of(recorded.first, ["referral=0.05"]), draws=20).judged[1].name
        'referral=0.05'
    """
    recorded = recorded if unseen is None else recorded.priced(unseen.usd)
    _check(recorded, variants)
    rows = recorded.rows
    readings = readings_of(recorded.task, recorded.agents, rows, "")
    source = readings if unseen is None else unseen
    labels, groups = source.labels, source.groups
    folds, parts = _folds(recorded, readings, unseen, seed)
    with shown(progress) as report:
        played = play(recorded, variants, folds, unseen, report)
    kept, refused = _answerable(variants, played, unseen)
    warn_user(f"{one.name}: {one.why}" for one in refused)
    settings = recorded.saved.settings
    bench = Bench(
        labels, Resamples(groups, len(labels), draws, seed), parts, settings.trust.bins, settings.worth.error_usd
    )
    chosen, outcomes = [variants[i] for i in kept], [played[i] for i in kept]
    tasks = [task_of(recorded, variant) for variant in chosen]
    return Sweep(
        learned_from=_learned_from(len(rows), len(folds), unseen),
        n=len(labels),
        groups=len(np.unique(bench.resamples.codes)),
        judged=judged(bench, tasks, chosen, outcomes, seed),
        refused=refused,
        pick=pick(bench, chosen, tasks, outcomes),
        notes=tuple(_notes(recorded, variants, unseen)),
    )


def _folds(
    recorded: RecordedAnswers, readings: Readings, unseen: UnseenCases | None, seed: int
) -> tuple[list[Fold], NDArray[np.int64]]:
    """What is learned from and judged on, and the part of each judged case."""
    trust, n = recorded.saved.settings.trust, len(readings.labels)
    if unseen is not None:
        everything = Fold(np.arange(n), np.arange(len(unseen.labels)))
        codes = group_codes(unseen.groups, len(unseen.labels))
        return [everything], np.random.default_rng(seed).permutation(codes.max() + 1)[codes] % PARTS
    folds = grouped_folds(readings.labels, readings.groups, trust.folds, trust.seed)
    parts = np.zeros(n, dtype=np.int64)
    for i, fold in enumerate(folds):
        parts[fold.test] = i
    return folds, parts


def _check(recorded: RecordedAnswers, variants: Sequence[Variant]) -> None:
    """Raises ``DataError`` for what no reading can answer."""
    looked = any(answer.round > 1 for row in recorded.rows for answer in row.second)
    if not looked and any(variant.max_share > 0 for variant in variants):
        raise DataError(
            "the panel has no recorded second looks, so they cannot be replayed: fit it again with "
            "second_look.max_rounds = 2, or vary something else"
        )
    free = recorded.saved.settings.cascade.free_usd
    if any(variant.cascade < 1 for variant in variants) and not any(usd > free for usd in recorded.usd.values()):
        raise DataError(
            "no price of an agent is known, so cascades cannot be replayed: give prices, as in --usd gpt=0.002, or a "
            "run "
            "in which answers were paid for"
        )


def _answerable(
    variants: Sequence[Variant], played: Sequence[VariantOutcomes], unseen: UnseenCases | None
) -> tuple[list[int], tuple[RefusedVariant, ...]]:
    """Places of the variants that the record answers in full, and the others."""
    kept, refused = [], []
    for i, (variant, outcome) in enumerate(zip(variants, played, strict=True)):
        missing = int(outcome.unanswered.sum())
        if not missing:
            kept.append(i)
            continue
        held = "the recorded answers" if unseen is None else f"the recorded answers of {unseen.folder}"
        n = len(outcome.unanswered)
        why = f"it needs answers for {missing} of {n} cases that {held} do not contain: no model was called for these"
        refused.append(RefusedVariant(name=variant.name(variants[0]), why=why))
    if 0 not in kept:
        raise DataError(
            f"the panel as it is cannot be replayed: {refused[0].why}; make a run with second_look.max_share = 1 and "
            "cascade.max_share = 1, which records all answers"
        )
    return kept, tuple(refused)


def _learned_from(n: int, folds: int, unseen: UnseenCases | None) -> str:
    if unseen is None:
        return f"cross-validated in {folds} folds of {n} calibration cases, whole groups at a time"
    return f"fitted on {n} calibration cases, tested on the cases of a run"


def _notes(recorded: RecordedAnswers, variants: Sequence[Variant], unseen: UnseenCases | None) -> Iterator[str]:
    """What a reader must know of these figures."""
    first = variants[0]
    if unseen is not None and unseen.left_out:
        yield f"{unseen.left_out} cases of the run are left out: the panel has learned from them or from their groups"
    if any(one.agents != first.agents and one.max_share > 0 for one in variants):
        yield "second looks were recorded with the whole panel; smaller panels reuse those answers"
    if any(one.neighbours != first.neighbours for one in variants):
        yield (
            "the agent neighbours was computed again from cached encodings; the evidence given to models is as recorded"
        )
    if any(one.referral != first.referral for one in variants):
        yield "variants with different costs of a referral cannot be compared by cost: no difference in cost is given"
    if recorded.saved.settings.worth.hour_usd > 0:
        yield "the time of the answers was not recorded: waiting costs nothing here"
