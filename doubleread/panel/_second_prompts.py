"""Chooses the prompt of an agent's second look among those that its settings name, by held-out log-loss."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol, Self, runtime_checkable

from doubleread.core.agent_ports import Agent
from doubleread.core.background import Background
from doubleread.core.case import Case
from doubleread.core.opinion import Answer
from doubleread.core.progress import Progress
from doubleread.orchestrator.course.seats import Witness, ask
from doubleread.orchestrator.learning.arbitration import Readings, tensor
from doubleread.orchestrator.learning.fusion_learning import Sample
from doubleread.orchestrator.learning.prompt_choice import PromptDifference, best_of, calibrated, differences
from doubleread.panel._roll_call import RollCall
from doubleread.panel.composition import Seated
from doubleread.settings import Settings

AT_ONCE = 32


@runtime_checkable
class ChoosesSecondPrompt(Agent, Protocol):
    """An agent whose second look may use one of several prompts."""

    @property
    def second_prompts(self) -> tuple[str, ...]:
        """The prompt in use, then the alternatives, as ``ID@VERSION``."""
        ...

    def looking_with(self, name: str) -> Self:
        """Returns the same agent with another prompt for the second look."""
        ...


class ChosenLooks(NamedTuple):
    """Readings with the second answers that are kept, and a note for each choice."""

    readings: Readings
    notes: tuple[str, ...]


def use_second_prompts(seated: Seated, prompts: Mapping[str, str]) -> None:
    """Has the agents take second looks with these prompts, by agent."""
    for name, agent in seated.agents.items():
        if name in prompts and isinstance(agent, ChoosesSecondPrompt):
            seated.agents[name] = agent.looking_with(prompts[name])
            seated.second_prompts[name] = prompts[name]


def without_open_choices(witness: Witness, settings: Settings) -> Witness:
    """Returns a witness that is not told second answers whose prompt is not chosen yet."""
    waiting = {name for name, options in settings.vlm.items() if options.second_alternatives}

    def told(case: Case, answer: Answer) -> None:
        if answer.round == 1 or answer.agent not in waiting:
            witness(case, answer)

    return told


def choose_second_prompts(
    readings: Readings, cases: Sequence[Case], seated: Seated, settings: Settings, progress: Progress, witness: Witness
) -> ChosenLooks:
    """Asks the agents again with each alternative, on the same evidence, and uses the best prompt from now on.

    The prompt of the settings stays unless another is clearly better (``prompt_choice``). ``witness`` receives the
    answers that are kept.
    """
    choosing = {
        name: agent
        for name, agent in seated.agents.items()
        if isinstance(agent, ChoosesSecondPrompt)
        and len(agent.second_prompts) > 1
        and name not in readings.first_looks_only
    }
    if not choosing or settings.second_look.max_rounds < 2:
        return ChosenLooks(readings, ())
    second, notes = [list(row) for row in readings.second], []
    for name, agent in choosing.items():
        column = list(seated.agents).index(name)
        others = [(agent.looking_with(prompt), prompt) for prompt in agent.second_prompts[1:]]
        rounds = [
            [row[column] for row in readings.second],
            *(_asked(*one, readings, cases, seated, settings, progress) for one in others),
        ]
        found, best = _compared(rounds, readings, seated)
        notes.append(_note(name, agent.second_prompts, found, best))
        for row, case, answer in zip(second, cases, rounds[0 if best is None else best + 1], strict=True):
            row[column] = answer
            witness(case, answer)
        if best is not None:
            use_second_prompts(seated, {name: agent.second_prompts[best + 1]})
    return ChosenLooks(replace(readings, second=second), tuple(notes))


def _asked(
    agent: ChoosesSecondPrompt,
    prompt: str,
    readings: Readings,
    cases: Sequence[Case],
    seated: Seated,
    settings: Settings,
    progress: Progress,
) -> list[Answer]:
    pairs, limit = list(zip(cases, readings.evidence, strict=True)), settings.panel.agent_timeout_s

    async def everyone() -> list[Answer]:
        found, roll = list[Answer](), RollCall(keep_going=True)
        for start in range(0, len(pairs), AT_ONCE):
            found += await asyncio.gather(
                *(
                    ask(agent.name, agent, case, evidence, task=seated.task, round_=2, timeout_s=limit)
                    for case, evidence in pairs[start : start + AT_ONCE]
                )
            )
            roll.hear((agent.name,), [[answer] for answer in found[start:]])
            progress(f"second look with {prompt}", len(found), len(pairs))
            if (last := roll.unable.get(agent.name)) is not None:  # this prompt gets no answers: it is not chosen
                return [*found, *[last] * (len(pairs) - len(found))]
        return found

    with Background() as background:
        return background.call(everyone)


def _compared(
    rounds: Sequence[Sequence[Answer]], readings: Readings, seated: Seated
) -> tuple[tuple[PromptDifference, ...], int | None]:
    sample = Sample(labels=readings.labels, groups=readings.groups)
    raw = tensor(seated.task, list(zip(*rounds, strict=True)))
    present, *others = (calibrated(raw[:, i], sample) for i in range(raw.shape[1]))
    found = differences(present, others, sample)
    return found, best_of(found)


def _note(name: str, prompts: Sequence[str], found: Sequence[PromptDifference], best: int | None) -> str:
    told = ", ".join(
        f"{prompt} {one.lower:+.3f}" + (f" ± {one.error:.3f}" if one.error is not None else "") + f", n={one.n}"
        for prompt, one in zip(prompts[1:], found, strict=True)
    )
    chosen = f"keeps {prompts[0]}, since no other is clearly better" if best is None else f"uses {prompts[best + 1]}"
    return f"second look: {name} {chosen} (how much lower the log-loss is than with {prompts[0]}: {told})"
