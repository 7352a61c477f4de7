"""Vision–language model agent: asks, checks, and returns an opinion or an abstention with its cause."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from doubleread.agents.vlm._forms import FORMS, MOST_LABELS, FormReading
from doubleread.agents.vlm.messages import DataUrls, ReferenceImage, build_request, choose_references, shuffled
from doubleread.agents.vlm.vlm_options import VlmOptions
from doubleread.agents.wire.answers import CallResult
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.request import Completion, Request
from doubleread.agents.wire.wire import Wire
from doubleread.core.case import Case
from doubleread.core.errors import ImageError, PromptError, SettingsError
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Answer, ConfidenceSource, Opinion, Usage
from doubleread.core.task import Task
from doubleread.prompts.library import Library
from doubleread.prompts.prompt import Prompt

PERMUTED = "permutation"
"""The variant that changes only the order of the labels."""
NOTE = "reader-note"
"""Prompt that shows a person's note to the model. No panel is fitted with it or pins it."""

FEWEST_SAMPLES = 2
"""Fewest readings that give a consistency."""


@dataclass(frozen=True)
class VlmContext:
    """Dependencies of the agents that query models."""

    task: Task
    pictures: DataUrls
    wire: Wire
    prompts: Library


@dataclass(frozen=True)
class _Sample:
    """A reading, and the answer that it was parsed from."""

    reading: FormReading
    answered: CallResult
    prompt: str


class VlmAgent:
    """Reads an image with a vision–language model; every call is a new conversation with shuffled labels.

    An unreadable answer is requested once more with the labels in another order; then the agent abstains.
    """

    def __init__(self, name: str, options: VlmOptions, context: VlmContext, hint: str = "") -> None:
        self.name = name
        self.options, self._context, self._task = options, context, context.task
        self._form = FORMS[options.confidence]()
        self._question = context.prompts.get(options.prompt)
        self._second = context.prompts.get(options.second_prompt)
        self._alternatives = tuple(context.prompts.get(one) for one in options.second_alternatives)
        self._form_prompt = context.prompts.get(self._form.prompt) if self._form.prompt else None
        self._paraphrases = context.prompts.variants_of(self._question.id)
        self._note_prompt = context.prompts.get(NOTE) if hint else None
        self._note = self._note_prompt.render("user", note=hint) if self._note_prompt else ""
        if wrong := _wrong_alternative(self._second, self._alternatives):
            raise SettingsError([f"vlm.{name}.second_alternatives: {wrong}"])
        most, labels = MOST_LABELS.get(options.confidence), len(self._task.names)
        if most is not None and labels > most:
            limit = f"{options.confidence} reach {most} labels, the task has {labels}"
            raise SettingsError([f"vlm.{name}.confidence: {limit}; use verbalized-distribution"])

    @property
    def deadline_s(self) -> float:
        """Time limit of one answer in seconds: one call and one repetition."""
        return 2 * self.options.deadline_s

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        form = () if self._form_prompt is None else (self._form_prompt,)
        return (self._question, self._second, *self._alternatives, *form, *self._paraphrases)

    @property
    def second_prompts(self) -> tuple[str, ...]:
        """The prompt of the second look, then those that fitting may choose in its place, as ``ID@VERSION``."""
        return tuple(prompt.name for prompt in (self._second, *self._alternatives))

    def looking_with(self, name: str) -> "VlmAgent":
        """Returns the same agent with another prompt for the second look."""
        return self.asking(self._context.prompts.get(name))

    @property
    def variants(self) -> tuple[str, ...]:
        return (PERMUTED, *(f"paraphrase:{prompt.ref}" for prompt in self._paraphrases))

    def hinted(self, hint: str) -> "VlmAgent":
        """Returns the same agent with a person's note in every question about an image."""
        return VlmAgent(self.name, self.options, self._context, hint)

    def prompt_of(self, turn: int) -> Prompt:
        """The prompt of the first reading or of the second look."""
        return self._question if turn == 1 else self._second

    def asking(self, prompt: Prompt) -> "VlmAgent":
        """Returns the same agent with another prompt: for the second look if it shows references, else for the first.

        Raises ``PromptError`` for a prompt that asks no question.
        """
        if missing := {"system", "user"} - set(prompt.sections):
            wrong = f"it has no section [{min(missing)}]; prompts of agents have [system] and [user]"
            raise PromptError(f"prompt {prompt.name} cannot be put to {self.name}: {wrong}")
        other = copy(self)
        if prompt.compares:
            other._second = prompt  # noqa: SLF001 - an instance of this class
        else:
            other._question = prompt  # noqa: SLF001
            other._paraphrases = self._context.prompts.variants_of(prompt.id)  # noqa: SLF001
        return other

    async def read(self, case: Case) -> Answer:
        return await self._timed(1, lambda: self._look(case, self._question, None))

    async def reconsider(self, case: Case, evidence: Evidence) -> Answer:
        """Takes a second look with retrieved images of every contested label, without any earlier answer."""
        return await self._timed(2, lambda: self._look(case, self._second, evidence))

    async def read_as(self, case: Case, variant: str) -> Answer:
        """Reads once with a paraphrased prompt or another label order."""
        named = {f"paraphrase:{prompt.ref}": prompt for prompt in self._paraphrases}
        moved = int(variant == PERMUTED)
        return await self._timed(1, lambda: self._once(case, named.get(variant, self._question), None, sample=moved))

    async def first_request(self, case: Case) -> Request | None:
        """Returns the only chat request of a first reading, for batch files; None if it needs more or another API."""
        if self.options.confidence in ("consistency", "class-probabilities"):
            return None
        return await self.one_request(case)

    async def one_request(self, case: Case, evidence: Evidence | None = None) -> Request:
        """Returns the first request of a reading, or of a second look if ``evidence`` is given."""
        question = self._question if evidence is None else self._second
        references = [] if evidence is None else await self._references(evidence)
        image = await self._context.pictures.url(case, self.options.image_side)
        return self._request(question, self._order(case, compared=bool(references)), image, references)

    @property
    def calls_a_look(self) -> int:
        """Calls of one look, if none is repeated."""
        return self.options.samples if self.options.confidence == "consistency" else 1

    def opinion_from(self, case: Case, completion: Completion) -> Opinion:
        """Parses the opinion from an answer to ``first_request``; raises ``CallFault``."""
        reading = self._form.read(completion, self._task, self._order(case))
        return self._opinion(
            [_Sample(reading, CallResult(completion, cached=False), self._question.ref)], self._form.source
        )

    def _order(self, case: Case, *, compared: bool = False, shift: int = 0) -> tuple[str, ...]:
        order = shuffled(self._task, case.id, compared)
        by = shift % len(order)
        return order[by:] + order[:by]

    async def _timed(self, turn: int, work: Callable[[], Awaitable[Opinion]]) -> Answer:
        began = perf_counter()
        try:
            answer: Answer = await work()
        except ImageError as error:
            answer = Abstention(agent=self.name, cause="image", detail=str(error))
        except CallFault as fault:
            answer = fault.abstention(self.name)
        return answer.model_copy(update={"round": turn, "seconds": perf_counter() - began})

    async def _once(self, case: Case, question: Prompt, evidence: Evidence | None, *, sample: int) -> Opinion:
        said = await self._say(case, question, evidence, sample=sample)
        return self._opinion([said], self._form.source)

    async def _look(self, case: Case, question: Prompt, evidence: Evidence | None) -> Opinion:
        if self.options.confidence == "consistency":
            return await self._several(case, evidence)
        return await self._once(case, question, evidence, sample=0)

    async def _several(self, case: Case, evidence: Evidence | None) -> Opinion:
        """Averages readings with different label orders and, in a first look, paraphrased prompts."""
        wordings = [self._question, *self._paraphrases] if evidence is None else [self._second]
        results = await asyncio.gather(
            *(self._say(case, wordings[i % len(wordings)], evidence, sample=i) for i in range(self.options.samples)),
            return_exceptions=True,
        )
        said = [one for one in results if isinstance(one, _Sample)]
        failed = [one for one in results if isinstance(one, BaseException)]
        if failed and len(said) < FEWEST_SAMPLES:
            raise failed[0]
        opinion = self._opinion(said, "consistency")
        if not failed:
            return opinion
        return opinion.model_copy(update={"notes": (*opinion.notes, f"{len(said)} of {len(results)} readings")})

    async def _say(self, case: Case, question: Prompt, evidence: Evidence | None, *, sample: int) -> _Sample:
        references = [] if evidence is None else await self._references(evidence)
        image = await self._context.pictures.url(case, self.options.image_side)
        try:
            return await self._ask(case, question, references, image, sample=sample, again=False)
        except CallFault as fault:
            if fault.cause != "invalid-answer":
                raise
            wasted, why = fault.usage, fault.detail
        try:
            said = await self._ask(case, question, references, image, sample=sample, again=True)
        except CallFault as fault:
            fault.usage = wasted + fault.usage + self._repeated(bool(fault.usage.calls))
            raise
        reading = replace(said.reading, notes=(*said.reading.notes, f"asked twice: {why}"))
        return replace(said, reading=reading, answered=self._joined(wasted, said.answered))

    def _joined(self, wasted: Usage, answered: CallResult) -> CallResult:
        """Adds what the first, unreadable answer used; a second answer from the cache cost nothing more."""
        completion = answered.completion
        if not answered.cached:
            used = wasted + completion.usage + self._repeated(True)
        else:
            used = wasted if wasted.calls else completion.usage
        completion = completion.model_copy(update={"usage": used})
        return CallResult(completion, cached=answered.cached and not wasted.calls)

    def _repeated(self, sent: bool) -> Usage:
        """Counts a question that was asked a second time, if anything was sent."""
        if sent:
            self._context.wire.budget.count_repeated(self.name)
        return Usage(repeated=int(sent))

    async def _ask(
        self,
        case: Case,
        question: Prompt,
        references: Sequence[ReferenceImage],
        image: str,
        *,
        sample: int,
        again: bool,
    ) -> _Sample:
        order = self._order(case, compared=bool(references), shift=sample + again)
        request = self._request(question, order, image, references)

        def reading(completion: Completion) -> FormReading:
            return self._form.read(completion, self._task, order)

        answered = await self._context.wire.ask(self.options, self.name, request, reading, sample=sample)
        return _Sample(reading(answered.completion), answered, question.ref)

    def _request(
        self, question: Prompt, order: Sequence[str], image: str, references: Sequence[ReferenceImage] = ()
    ) -> Request:
        parts = (self._task, order, image, references, self._note)
        return build_request(question, self._form, self._form_prompt, *parts, **self.options.sampling)

    async def _references(self, evidence: Evidence) -> list[ReferenceImage]:
        """Returns the retrieved images that can be opened; raises ``CallFault`` if there are none."""
        found, problems = [], []
        for case in choose_references(evidence, self.options.references):
            try:
                url = await self._context.pictures.url(case, self.options.reference_side)
                found.append(ReferenceImage(label=str(case.label), url=url))
            except ImageError as error:
                problems.append(str(error))
        if not found:
            detail = problems[0] if problems else evidence.failure or "nothing was retrieved"
            raise CallFault("no-evidence", f"no retrieved image to compare with: {detail}")
        return found

    def _opinion(self, said: Sequence[_Sample], source: ConfidenceSource) -> Opinion:
        vectors = [one.reading.vector for one in said if one.reading.vector is not None]
        mean = np.mean(vectors, axis=0) if vectors else None
        label = said[0].reading.label if mean is None else self._task.names[int(mean.argmax())]
        telling = next((one for one in said if one.reading.label == label), said[0])
        paid = [one for one in said if not one.answered.cached] or said
        completion, reading = telling.answered.completion, telling.reading
        further = [prompt.ref for prompt in (self._note_prompt, self._form_prompt) if prompt is not None]
        details = {
            "reason": reading.findings,
            "usage": sum((one.answered.completion.usage for one in paid), Usage()),
            "request_id": completion.request_id,
            "model": completion.model,
            "prompt": " + ".join([*dict.fromkeys(one.prompt for one in said), *further]),
            "cached": all(one.answered.cached for one in said),
            "captured_mass": reading.captured_mass,
            "notes": tuple(dict.fromkeys(note for one in said for note in one.reading.notes)),
        }
        if mean is None:
            return Opinion(
                agent=self.name, label=label, confidence=reading.confidence, confidence_source=source, **details
            )
        return Opinion.from_vector(self.name, self._task, mean, source).model_copy(update=details)


def _wrong_alternative(second: Prompt, alternatives: Sequence[Prompt]) -> str:
    names = [second.name, *(prompt.name for prompt in alternatives)]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        return f"{twice[0]} is named twice, or is `second_prompt` itself; name each other prompt once"
    blind = [prompt.name for prompt in alternatives if not prompt.compares]
    return f"{blind[0]} shows no reference images; name prompts of a second look, such as vlm-contrast" if blind else ""
