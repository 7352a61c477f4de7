"""Tries several prompts of an agent that asks a model on the same labelled images: which is better calibrated?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from doubleread.agents.wire.budget import Spending
from doubleread.core.background import Background
from doubleread.core.case import Case
from doubleread.core.errors import DataError, ImageError, PromptError, UnknownPart
from doubleread.core.progress import Progress
from doubleread.evals._prompt_questions import PromptQuestions
from doubleread.evals._prompt_result import PromptAnswers, PromptTrial, TriedPrompt, sample_of
from doubleread.evals._prompt_sample import PromptSample, images_for
from doubleread.evals._prompt_wording import estimate_line
from doubleread.panel import Panel
from doubleread.prompts.library import Library
from doubleread.prompts.prompt import Prompt
from doubleread.render.progress_display import shown

if TYPE_CHECKING:
    from doubleread.agents.vlm.agent import VlmAgent

USUAL_SAMPLE = 60
"""Default number of images."""


@dataclass(frozen=True)
class PromptPlan:
    """What a trial will ask. Nothing has been asked or paid yet."""

    panel: Panel
    prompts: tuple[Prompt, ...]
    """The present one, then the others."""
    questions: PromptQuestions
    sample: PromptSample
    calls: int
    """Most calls, if no answer is in the cache and none is repeated."""
    cost_usd: float | None
    """Highest expected cost of these calls; None if the model has no known price."""

    @property
    def line(self) -> str:
        """What it will cost, in one sentence."""
        return estimate_line(self.calls, self.cost_usd, self.panel.settings.budget.max_cost_usd)


def plan_trial(
    panel: Panel,
    agent: str,
    variants: Sequence[str],
    cases: Sequence[Case] | None = None,
    *,
    folder: Path | None = None,
    size: int = USUAL_SAMPLE,
    seed: int = 0,
) -> PromptPlan:
    """Chooses images and checks everything before anything is asked. Arguments and errors as for ``try_prompts``."""
    reader = _reader(panel, agent)
    own = panel.settings.prompts.folder
    library = Library(folder or (Path(own).expanduser() if own else None))
    others = list({one.sha256: one for one in map(library.get, variants)}.values())
    turn = _turn(others)
    present = reader.prompt_of(turn)
    others = [one for one in others if one.sha256 != present.sha256]
    if not others:
        raise PromptError(f"nothing to compare: {agent} asks with {present.name} already; name another prompt")
    sample = images_for(panel, cases, size, seed)
    _ = sample_of(panel.task, sample.cases, seed).parts  # raises before anything is paid
    readers = tuple(reader.asking(one) for one in (present, *others))
    known = {row.case: row.first for row in panel.calibration_readings()}
    questions = PromptQuestions(panel, agent, readers, turn, known)
    count = len(sample.cases) * len(readers) * reader.calls_a_look
    return PromptPlan(panel, (present, *others), questions, sample, count, _cost(questions, sample.cases))


def try_prompts(
    panel: Panel,
    agent: str,
    variants: Sequence[str],
    cases: Sequence[Case] | None = None,
    *,
    folder: Path | None = None,
    size: int = USUAL_SAMPLE,
    seed: int = 0,
    progress: Progress | None = None,
    announce: Callable[[PromptPlan], None] = lambda _: None,
) -> PromptTrial:
    """Asks an agent about a sample of labelled images with its present prompt and with others, and compares them.

    A prompt is better if its log-loss, after a calibration that is cross-validated by group, is lower by more than the
    standard error of the difference; with several prompts the limit is higher, so that chance alone rarely passes it.
    Only images answered with both prompts count. Answers are cached: the same trial costs nothing the second time. The
    panel itself does not change.

    Args:
        panel: A fitted panel. Its ``budget`` limits the cost.
        agent: An agent of a ``[vlm.NAME]`` table.
        variants: Prompts as ``ID`` (its highest version) or ``ID@VERSION``: of a first reading, or of the second look.
        cases: Labelled images; the panel's calibration images if None. The test split is never used.
        folder: Folder with prompts of your own; the panel's ``prompts.folder`` if None.
        size: Number of images. Groups stay whole.
        seed: Chooses the images.
        progress: As for ``Panel.fit``.
        announce: Called with the plan and its cost before anything is asked.

    Raises:
        DataError: There are too few labelled images.
        PanelError: The agent cannot answer, or the budget is spent. Answers that were given are kept.
        PromptError: There is no such prompt, or it cannot be used.
        UnknownPart: There is no such agent.
    """
    plan = plan_trial(panel, agent, variants, cases, folder=folder, size=size, seed=seed)
    announce(plan)
    before = panel.spent.get(agent, Spending())
    with shown(progress) as report, Background() as background:
        rows = background.call(plan.questions.put, plan.sample.cases, report)
    answers = PromptAnswers(agent, panel.task, plan.prompts, plan.sample.cases, rows)
    return answers.result(seed, _since(before, panel.spent.get(agent, before)), plan.sample.notes)


def _reader(panel: Panel, agent: str) -> "VlmAgent":
    from doubleread.agents.vlm.agent import VlmAgent  # noqa: PLC0415 - loads openai

    asking = [name for name in panel.settings.panel.agents if name in panel.settings.vlm]
    found = panel.reader(agent) if agent in asking else None
    if not isinstance(found, VlmAgent):
        raise UnknownPart("agent that asks a model about images", agent, asking)
    return found


def _turn(others: Sequence[Prompt]) -> int:
    """The round that the prompts are for."""
    second = [one.name for one in others if one.compares]
    first = [one.name for one in others if not one.compares]
    if first and second:
        raise PromptError(
            f"{', '.join(second)} is for the second look, {', '.join(first)} for the first reading: try them apart"
        )
    return 2 if second else 1


def _cost(questions: PromptQuestions, cases: Sequence[Case]) -> float | None:
    """The highest expected cost of all questions, from the first image that can be read."""
    with Background() as background:
        for case in cases:
            try:
                each = background.call(questions.cost_usd, case)
            except ImageError:
                continue
            return None if each is None else each * len(cases)
    raise DataError(f"none of the {len(cases)} images can be read")


def _since(before: Spending, after: Spending) -> Spending:
    return Spending(**{name: getattr(after, name) - getattr(before, name) for name in Spending.model_fields})


__all__ = ["USUAL_SAMPLE", "PromptPlan", "PromptTrial", "TriedPrompt", "plan_trial", "try_prompts"]
