"""Reasoner: a language model as referee. It sees the readers' answers, their records and the evidence, not the image.

Follows the non-visual orchestrator of arXiv 2507.10571, except that its answer does not decide: it is calibrated and
fused like any other opinion, and left out if it did not help on held-out cases.
"""

from collections.abc import Mapping
from time import perf_counter

from doubleread.agents.vlm._forms import DistributionForm, FormReading
from doubleread.agents.vlm.agent import VlmContext
from doubleread.agents.vlm.messages import chat, shown, shuffled, text_part
from doubleread.agents.vlm.vlm_options import ReasonerOptions
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.request import Completion, Request
from doubleread.core.base import Record
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer, Opinion
from doubleread.core.trust import TrustProfile
from doubleread.prompts.prompt import Prompt


class ReaderRecord(Record):
    """One reader as shown in the prompt."""

    name: str
    label: str
    confidence: str
    probabilities: str
    findings: str
    record: str


class Reasoner:
    """Weighs the other agents' opinions. Neutral reader names keep well-known models from counting for more."""

    def __init__(self, name: str, options: ReasonerOptions, context: VlmContext) -> None:
        self.name = name
        self._options, self._context, self._task = options, context, context.task
        self._form = DistributionForm()
        self._prompt = context.prompts.get(options.prompt)
        self._form_prompt = context.prompts.get(self._form.prompt)

    @property
    def deadline_s(self) -> float:
        return self._options.deadline_s

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        return (self._prompt, self._form_prompt)

    async def deliberate(
        self, answers: Mapping[str, Answer], profiles: Mapping[str, TrustProfile], evidence: Evidence | None
    ) -> Answer:
        """Returns an opinion on one round's answers, or an abstention if there are no opinions or the call fails."""
        began, turn = perf_counter(), max((a.round for a in answers.values()), default=1)
        spoken = {name: a for name, a in answers.items() if isinstance(a, Opinion)}
        try:
            if not spoken:
                raise CallFault("no-evidence", "no agent gave an answer to weigh")
            answer: Answer = await self._weigh(spoken, profiles, evidence)
        except CallFault as fault:
            answer = fault.abstention(self.name)
        return answer.model_copy(update={"round": turn, "seconds": perf_counter() - began})

    async def _weigh(
        self, opinions: Mapping[str, Opinion], profiles: Mapping[str, TrustProfile], evidence: Evidence | None
    ) -> Opinion:
        order = shuffled(self._task, *(f"{o.label} {o.confidence}" for o in opinions.values()))
        labels = shown(self._task, order)
        readers = [
            self._reader(f"reader {i}", opinion, profiles.get(name))
            for i, (name, opinion) in enumerate(opinions.items(), start=1)
        ]
        user = self._prompt.render(
            "user", about=self._task.about, labels=labels, readers=readers, evidence=describe(evidence)
        )
        request = Request(
            messages=chat(
                self._prompt.render("system"),
                [text_part(user), text_part(self._form_prompt.render("answer", labels=labels))],
            ),
            **self._options.sampling,
            **self._form.fields(self._task, order),
        )

        def reading(completion: Completion) -> FormReading:
            return self._form.read(completion, self._task, order)

        answered = await self._context.wire.ask(self._options, self.name, request, reading)
        read, completion = reading(answered.completion), answered.completion
        if read.vector is None:
            raise RuntimeError("a distribution form always gives a distribution")
        opinion = Opinion.from_vector(self.name, self._task, read.vector, self._form.source, reason=read.findings)
        details = {"usage": completion.usage, "request_id": completion.request_id, "model": completion.model}
        prompts = f"{self._prompt.ref} + {self._form_prompt.ref}"
        return opinion.model_copy(update={**details, "prompt": prompts, "cached": answered.cached, "notes": read.notes})

    def _reader(self, name: str, opinion: Opinion, profile: TrustProfile | None) -> ReaderRecord:
        shares = sorted(opinion.probabilities.items(), key=lambda item: -item[1])
        return ReaderRecord(
            name=name,
            label=opinion.label,
            confidence=f"{opinion.confidence:.2f}",
            probabilities=", ".join(f"{label} {p:.2f}" for label, p in shares),
            findings=opinion.reason,
            record=record(self._task.names, opinion.label, profile),
        )


def record(names: tuple[str, ...], label: str, profile: TrustProfile | None) -> str:
    """Describes a reader's record on judged cases: accuracy, calibration, and how often this label was right."""
    if profile is None:
        return "unknown"
    k = names.index(label)
    said, right = sum(row[k] for row in profile.confusion), profile.confusion[k][k]
    mean = sum(b.confidence * b.n for b in profile.reliability) / max(1, sum(b.n for b in profile.reliability))
    return (
        f"right on {profile.accuracy.value:.0%} of {profile.n} past cases with a mean stated confidence of {mean:.0%}; "
        f"of the {said} times it said {label}, {right} were right"
    )


def describe(evidence: Evidence | None) -> str:
    """Describes the retrieved cases in words."""
    if evidence is None or not evidence.neighbours:
        return "none"
    labels = [n.label for n in evidence.neighbours]
    counts = ", ".join(f"{labels.count(label)} {label}" for label in dict.fromkeys(labels))
    implied = ", ".join(f"{label} {p:.2f}" for label, p in sorted(evidence.distribution.items(), key=lambda x: -x[1]))
    return f"the {len(labels)} most similar confirmed cases: {counts}; weighed, they imply {implied}"
