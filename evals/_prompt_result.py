"""The record of a trial of prompts, and how it is worked out from the answers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from doubleread.agents.wire.budget import Spending
from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.notices import divided
from doubleread.core.opinion import Abstention, Answer, Opinion
from doubleread.core.task import Task
from doubleread.core.trust import TrustProfile
from doubleread.core.types import Matrix
from doubleread.evals._prompt_wording import settings_lines, verdict_of
from doubleread.orchestrator.learning.fusion_learning import Sample
from doubleread.orchestrator.learning.prompt_choice import PromptDifference, best_of, calibrated, differences
from doubleread.orchestrator.trust.profile import profile
from doubleread.prompts.prompt import Prompt

DRAWS = 400
"""Bootstrap samples for an interval."""


class TriedPrompt(Record):
    """How an agent did with one prompt."""

    prompt: str
    """``ID@VERSION``."""
    sha256: str
    asked: int
    answered: int
    unanswered: dict[str, int]
    """Images without an answer, by cause."""
    profile: TrustProfile | None
    """Accuracy, log-loss, ECE and Brier score on the images that it answered, before and after calibration; None if
    there are none."""
    usd_an_image: float | None
    """Mean cost of an answer, whether paid now or before; None if it is not known."""
    difference: PromptDifference | None = None
    """Compared with the present prompt; None for the present prompt itself."""


class PromptTrial(Record):
    """What ``doubleread prompts try`` found; the first of ``prompts`` is the present one."""

    agent: str
    second_look: bool
    """Whether the prompts are those of the second look."""
    images: int
    groups: int
    prompts: tuple[TriedPrompt, ...]
    best: str
    """The prompt to use; the present one if no other is better."""
    verdict: tuple[str, ...]
    """The result in words, the answer first."""
    settings: tuple[str, ...] = ()
    """Lines of the settings that use the best prompt; empty if the present one stays."""
    calls: int
    """Calls that were made now."""
    cached: int
    """Answers that were in the cache."""
    cost_usd: float | None
    """What was paid now; None if the model has no known price."""
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class PromptAnswers:
    """What an agent said about each case, with each prompt; the first prompt is the present one."""

    agent: str
    task: Task
    prompts: Sequence[Prompt]
    cases: Sequence[Case]
    rows: Sequence[Sequence[Answer]]
    """One row a case, in the order of the prompts."""

    def result(self, seed: int, paid: Spending, notes: Sequence[str]) -> PromptTrial:
        """Compares the prompts. ``notes`` are on the choice of the cases."""
        sample = sample_of(self.task, self.cases, seed)
        raw = [self._vectors(i) for i in range(len(self.prompts))]
        after = [calibrated(P, sample) for P in raw]
        found = differences(after[0], after[1:], sample)
        best, names = best_of(found), [one.name for one in self.prompts]
        chosen = self.prompts[0 if best is None else best + 1]
        information, warnings = divided(notes)
        return PromptTrial(
            agent=self.agent,
            second_look=chosen.compares,
            images=len(self.cases),
            groups=len(np.unique(sample.codes)),
            prompts=tuple(
                self._tried(i, raw[i], after[i], sample, difference) for i, difference in enumerate((None, *found))
            ),
            best=chosen.name,
            verdict=tuple(verdict_of(names[0], names[1:], found, best)),
            settings=settings_lines(self.agent, chosen) if best is not None else (),
            calls=paid.calls,
            cached=paid.cached,
            cost_usd=None if paid.unpriced else paid.cost_usd,
            notes=information,
            warnings=warnings,
        )

    def _vectors(self, i: int) -> Matrix:
        """The distributions with a prompt, ``(n, k)``; NaN where it gave none."""
        nothing = np.full(len(self.task.names), np.nan)
        said = [row[i] for row in self.rows]
        return np.array([one.vector(self.task) if isinstance(one, Opinion) else nothing for one in said])

    def _tried(
        self, i: int, raw: Matrix, after: Matrix, sample: Sample, difference: PromptDifference | None
    ) -> TriedPrompt:
        said = [row[i] for row in self.rows]
        opinions = [one for one in said if isinstance(one, Opinion)]
        costs = [one.usage.cost_usd for one in opinions]
        known = [cost for cost in costs if cost is not None]
        groups = [str(code) for code in sample.codes]
        measured = (
            profile(
                self.agent, self.task, raw, sample.labels, groups, calibrated_P=after, draws=DRAWS, seed=sample.seed
            )
            if opinions
            else None
        )
        return TriedPrompt(
            prompt=self.prompts[i].name,
            sha256=self.prompts[i].sha256,
            asked=len(said),
            answered=len(opinions),
            unanswered=dict(Counter(one.cause for one in said if isinstance(one, Abstention))),
            profile=measured,
            usd_an_image=sum(known) / len(known) if known and len(known) == len(costs) else None,
            difference=difference,
        )


def sample_of(task: Task, cases: Sequence[Case], seed: int) -> Sample:
    """Returns the labels and groups of the cases, with their folds."""
    labels = np.array([task.index(str(case.label)) for case in cases], dtype=np.int64)
    return Sample(labels=labels, groups=[case.group or case.id for case in cases], seed=seed)
