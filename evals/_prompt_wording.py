"""What a trial of prompts says in words."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from doubleread.orchestrator.learning.prompt_choice import PromptDifference
from doubleread.prompts.prompt import Prompt

AS_BUILT = "built in"
"""Origin of the prompts of this package."""


def estimate_line(calls: int, cost_usd: float | None, most_usd: float | None) -> str:
    """What a trial costs at most, before it begins."""
    cached = "answers in the cache cost nothing"
    if cost_usd is None:
        return f"up to {calls} calls; their cost is unknown, since the model has no price here ({cached})"
    line = f"up to {calls} calls, about ${cost_usd:.2f} at most ({cached})"
    if most_usd is None or cost_usd <= most_usd:
        return line
    return f"{line}. The budget is ${most_usd:.2f}: if it is used up, raise it and run the same command again"


def verdict_of(present: str, names: Sequence[str], found: Sequence[PromptDifference], best: int | None) -> list[str]:
    """The result, the answer first, then each prompt, then the rule."""
    return [_answer(present, names, found, best), *_each(names, found), *_unseen(found), _rule(found[0].limit)]


def _answer(present: str, names: Sequence[str], found: Sequence[PromptDifference], best: int | None) -> str:
    if best is not None:
        return f"{names[best]} is better calibrated than {present}."
    if all(one.change == "worse" for one in found):
        return f"{present} is better calibrated than {' and '.join(names)}: keep it."
    return f"No difference can be shown (n={max(one.n for one in found)}): keep {present}."


def _unseen(found: Sequence[PromptDifference]) -> Iterator[str]:
    """How small a difference may be that would not show, where none did."""
    errors = [one.error for one in found if one.error and one.change == "same"]
    if errors:
        yield f"With these images, a difference in log-loss below {found[0].limit * max(errors):.2f} would not show."


def _each(names: Sequence[str], found: Sequence[PromptDifference]) -> Iterator[str]:
    words = {"better": "better", "worse": "worse", "same": "no difference can be shown"}
    for name, one in zip(names, found, strict=True):
        if not one.n:
            yield f"{name}: cannot be compared, since no image was answered with both prompts"
            continue
        why = f", because {one.why}" if one.why else ""
        on = f"on {one.n} images ({one.groups} groups) answered with both"
        yield f"{name}: {words[one.change]}{why}; {_size(one)}, {on}"


def _size(one: PromptDifference) -> str:
    if one.low is None or one.high is None:
        return f"log-loss {one.lower:+.3f} lower"
    low, high, way = (one.low, one.high, "lower") if one.lower >= 0 else (-one.high, -one.low, "higher")
    return f"log-loss {abs(one.lower):.3f} {way} (95 % interval {low:.3f} to {high:.3f})"


def _rule(limit: float) -> str:
    errors = "one standard error" if limit <= 1 + 1e-9 else f"{limit:.2f} standard errors"
    return (
        f"The rule: a prompt is better if its log-loss after calibration, on images kept back from the calibration, is "
        f"lower by more than {errors} of the difference."
    )


def settings_lines(agent: str, prompt: Prompt) -> tuple[str, ...]:
    """The settings that use the prompt."""
    key = "second_prompt" if prompt.compares else "prompt"
    own = () if prompt.origin == AS_BUILT else ("[prompts]", f'folder = "{Path(prompt.origin).parent.as_posix()}"', "")
    return (*own, f"[vlm.{agent}]", f'{key} = "{prompt.name}"')
