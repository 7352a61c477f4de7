"""Variants learned on some recorded answers and replayed on others."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from doubleread.core.errors import DataError
from doubleread.core.progress import Progress, silent
from doubleread.core.reading import Reading
from doubleread.core.task import Task, with_costs
from doubleread.evals.sweep._neighbours_replay import Neighbourhood
from doubleread.evals.sweep._recorded import RecordedAnswers, UnseenCases
from doubleread.evals.sweep._variant import Variant
from doubleread.evals.sweep.sweep_figures import VariantOutcomes
from doubleread.evals.vector_replay import AnswerArrays, VectorReplay
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.kept import readings_of
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.learning.arbitration import Grounds, Learning, sources
from doubleread.orchestrator.resampling import Fold
from doubleread.panel.fitting import learning_of, policy_of


def play(
    recorded: RecordedAnswers,
    variants: Sequence[Variant],
    folds: Sequence[Fold],
    unseen: UnseenCases | None = None,
    progress: Progress = silent,
) -> list[VariantOutcomes]:
    """What becomes of the cases of all folds' tests, variant by variant.

    The tests are positions among the run's cases, or without a run among the panel's own. Raises ``DataError`` where a
    variant cannot be learned.
    """
    n = len(recorded.rows) if unseen is None else len(unseen.labels)
    played = [VariantOutcomes.blank(n, len(recorded.task.names)) for _ in variants]
    together = _learned_alike(variants)
    for done, places in enumerate(together):
        progress("learning and replaying", done, len(together))
        _play_alike(recorded, unseen, folds, [variants[i] for i in places], [played[i] for i in places])
    progress("learning and replaying", len(together), len(together))
    return played


def _play_alike(
    recorded: RecordedAnswers,
    unseen: UnseenCases | None,
    folds: Sequence[Fold],
    variants: Sequence[Variant],
    played: Sequence[VariantOutcomes],
) -> None:
    """Variants that are learned alike, on every fold."""
    one, settings = variants[0], recorded.saved.settings
    task, agents = recorded.task, one.agents
    around = Neighbourhood.of(recorded.saved) if one.neighbours != recorded.first.neighbours else None

    def read(rows: Iterator[Reading]) -> Iterator[Reading]:
        return rows if around is None else around.read_again(rows, one.neighbours)

    rows = recorded.with_prices(read(iter(recorded.rows)))
    readings = readings_of(task, agents, rows, "")
    said = AnswerArrays.of(task, agents, rows if unseen is None else read(unseen.rows()))
    usd = np.array([recorded.usd.get(name, 0.0) for name in agents])
    learning = replace(learning_of(settings), rule=one.rule, calibrator=one.calibrator)
    referees = [name for name in recorded.referees if name in agents]
    for fold in folds:
        train = readings.rows(fold.train)
        try:
            grounds = Grounds.of(task, agents, train, learning, referees)
        except DataError as error:
            raise DataError(f"{one.name(recorded.first)}: {error}") from None
        replay = VectorReplay(said.rows(fold.test).usable(sources(agents, train)))
        for variant, outcome in zip(variants, played, strict=True):
            outcome.put(fold.test, replay.run(_settled(recorded, grounds, learning, variant)), usd)


def _settled(recorded: RecordedAnswers, grounds: Grounds, learning: Learning, variant: Variant) -> Arbiter:
    promised = replace(learning, max_risk=variant.max_risk)
    costs = task_of(recorded, variant).costs
    return replace(grounds.at(costs), learning=promised).settled(_policy(recorded, variant))[0]


def _policy(recorded: RecordedAnswers, variant: Variant) -> Policy:
    before = policy_of(recorded.saved.settings)
    rounds = 2 if variant.max_share > 0 else 1
    return before.model_copy(
        update={"max_rounds": rounds, "max_share": variant.max_share, "ask_share": variant.cascade}
    )


def task_of(recorded: RecordedAnswers, variant: Variant) -> Task:
    """The task at the variant's costs."""
    costs = recorded.task.costs
    return with_costs(recorded.task, costs.model_copy(update={"referral": variant.referral}))


def _learned_alike(variants: Sequence[Variant]) -> list[list[int]]:
    """Places of the variants that share their fits."""
    found: dict[tuple[object, ...], list[int]] = {}
    for i, variant in enumerate(variants):
        found.setdefault(variant.learned, []).append(i)
    return list(found.values())
