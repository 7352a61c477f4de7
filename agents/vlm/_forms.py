"""Forms of answer: how each source of confidence is requested and parsed.

``order`` holds the task's label names in the order of this call.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, Protocol

import numpy as np

from doubleread.agents.vlm._answer_json import answer_object
from doubleread.agents.vlm._parsing import (
    MAX_FINDINGS,
    TOLERATED_SUM,
    distribution,
    matching,
    number,
    words,
)
from doubleread.agents.vlm._refusal_words import refused
from doubleread.agents.wire.decisions import MAX_CHOICES
from doubleread.agents.wire.faults import CallFault, harmless, printable
from doubleread.agents.wire.request import AnswerOption, Completion
from doubleread.core.opinion import ConfidenceSource
from doubleread.core.task import Task
from doubleread.core.types import Json, Vector

MAX_LETTERS = 20
"""Most alternatives per token that the API returns."""
MOST_LABELS = {"logprobs": MAX_LETTERS, "class-probabilities": MAX_CHOICES}
"""Most labels that a source of confidence reaches, where there is a limit."""
LEAST_MASS = 0.5
"""Least share of the probability that must fall on the letters."""


@dataclass(frozen=True)
class FormReading:
    """A distribution over the task's labels (shape ``(n_labels,)``, summing to 1) or one label with a confidence."""

    label: str
    confidence: float
    vector: Vector | None = None
    findings: str = ""
    captured_mass: float | None = None
    notes: tuple[str, ...] = ()


class Form(Protocol):
    """How a model gives its answer."""

    source: ConfidenceSource
    prompt: str
    """Id of the prompt that asks for this form; empty if the API does."""

    def fields(self, task: Task, order: Sequence[str], /) -> dict[str, Any]:
        """Request fields that this form needs."""
        ...

    def read(self, completion: Completion, task: Task, order: Sequence[str], /) -> FormReading:
        """Parses an answer; raises ``CallFault`` if that is impossible."""
        ...


class DistributionForm:
    """Findings, then a probability for every label, then the label, in that order."""

    source: ConfidenceSource = "verbalized-distribution"
    prompt = "form-distribution"

    def fields(self, _: Task, order: Sequence[str]) -> dict[str, Any]:
        shares = _object({name: {"type": "number"} for name in order})
        properties = {"findings": {"type": "string"}, "probabilities": shares, "label": _one_of(order)}
        return {"answer_schema": _object(properties)}

    def read(self, completion: Completion, task: Task, _: Sequence[str]) -> FormReading:
        answer = answer_object(completion.text, lambda one: isinstance(one.get("probabilities"), dict | list))
        stated = np.array(distribution(answer.get("probabilities"), task.names))
        vector, top = stated / stated.sum(), task.names[int(stated.argmax())]
        notes = []
        if abs(stated.sum() - 1) > TOLERATED_SUM:
            notes.append(f"stated probabilities summed to {stated.sum():.3g}")
        said = matching(words(answer.get("label", top)), task.names)
        if stated[task.index(said)] < stated.max():
            notes.append(f"named {said}, but gave {top} the highest probability")
        return FormReading(top, float(vector.max()), vector, _findings(answer), notes=tuple(notes))


class NumberForm:
    """Findings, the label, and one confidence."""

    source: ConfidenceSource = "verbalized"
    prompt = "form-number"

    def fields(self, _: Task, order: Sequence[str]) -> dict[str, Any]:
        properties = {"findings": {"type": "string"}, "label": _one_of(order), "confidence": {"type": "number"}}
        return {"answer_schema": _object(properties)}

    def read(self, completion: Completion, task: Task, _: Sequence[str]) -> FormReading:
        answer = answer_object(completion.text, lambda one: {"label", "confidence"} <= one.keys())
        label, stated = matching(words(answer.get("label")), task.names), number(answer.get("confidence"))
        if stated > 1:
            raise CallFault("invalid-answer", f"a confidence of {stated:g} is above 1")
        return FormReading(label, stated, findings=_findings(answer))


class LetterForm:
    """One letter per label, with the probabilities of the letter's token."""

    source: ConfidenceSource = "logprobs"
    prompt = "form-letter"

    def fields(self, _: Task, __: Sequence[str]) -> dict[str, Any]:
        return {"top_logprobs": MAX_LETTERS}

    def read(self, completion: Completion, task: Task, order: Sequence[str]) -> FormReading:
        letters = dict(zip(ascii_uppercase, order, strict=False))
        if not completion.tokens:
            raise CallFault("unsupported", "the server gave no token probabilities: choose another `confidence`")
        mass = next((m for token in completion.tokens if (m := _letter_mass(token, letters)) is not None), None)
        if mass is None and refused(completion.text):
            raise CallFault("refusal", harmless(f"the model declined in words: {completion.text}"))
        if mass is None:
            raise CallFault("invalid-answer", f"no letter of {', '.join(letters)} in the answer")
        if (captured := sum(mass.values())) > 1 + TOLERATED_SUM:
            raise CallFault("invalid-answer", f"the probabilities of the letters sum to {captured:.3g}")
        captured = min(1.0, captured)
        if captured < LEAST_MASS:
            raise CallFault("invalid-answer", f"only {captured:.0%} of the probability fell on the letters")
        return _reading(np.array([mass[name] for name in task.names]), task, captured_mass=captured)


class ChoiceForm:
    """Class probabilities from the API itself (OpenAI's ``decisions``, or System One)."""

    source: ConfidenceSource = "class-probabilities"
    prompt = ""

    def fields(self, task: Task, order: Sequence[str]) -> dict[str, Any]:
        described = {label.name: label.description for label in task.labels}
        choices = tuple(AnswerOption(value=name, description=described[name]) for name in order)
        return {"api": "decisions", "choices": choices}

    def read(self, completion: Completion, task: Task, _: Sequence[str]) -> FormReading:
        return _reading(np.array(distribution(completion.probabilities, task.names)), task)


FORMS: dict[str, type[DistributionForm | NumberForm | LetterForm | ChoiceForm]] = {
    "verbalized-distribution": DistributionForm,
    "verbalized": NumberForm,
    "logprobs": LetterForm,
    "class-probabilities": ChoiceForm,
    "consistency": DistributionForm,
}
"""The form for each source of confidence."""


def _letter_mass(token: Sequence[Any], letters: dict[str, str]) -> dict[str, float] | None:
    """Probability of each label at a token, summed over spellings of its letter; None if the token is no letter."""
    mass = dict.fromkeys(letters.values(), 0.0)
    said = [(a.token.strip().strip("().:\"'").upper(), math.exp(min(0.0, a.logprob))) for a in token]
    for letter, share in said:
        if letter in letters:
            mass[letters[letter]] += share
    chosen = max(said, key=lambda one: one[1])[0]
    return mass if chosen in letters else None


def _reading(shares: Vector, task: Task, *, captured_mass: float | None = None) -> FormReading:
    vector = shares / shares.sum()
    top = int(vector.argmax())
    return FormReading(task.names[top], float(vector[top]), vector, captured_mass=captured_mass)


def _findings(answer: Json) -> str:
    return printable(words(answer.get("findings")))[:MAX_FINDINGS]


def _one_of(names: Sequence[str]) -> Json:
    return {"type": "string", "enum": list(names)}


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
