"""Request and result files of the Batch API, joined by case id, and examples for fine-tuning.

The Batch API costs half the price and answers within a day.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from doubleread.agents.vlm._forms import LetterForm
from doubleread.agents.vlm.agent import VlmAgent, VlmContext
from doubleread.agents.vlm.messages import build_request, shown, shuffled
from doubleread.agents.vlm.vlm_options import VlmOptions
from doubleread.agents.wire.bodies import sent_as
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.prices import TokenPrice, cost
from doubleread.agents.wire.refusals import fault_of_status, status_of
from doubleread.agents.wire.reply import completion_of
from doubleread.agents.wire.request import Completion
from doubleread.agents.wire.values import object_of, parsed
from doubleread.core.case import Case
from doubleread.core.errors import DataError, FileError, ImageError
from doubleread.core.opinion import Answer, Usage
from doubleread.core.safe_files import read_bytes
from doubleread.core.types import Json

MOST_LINES, MOST_BYTES = 50_000, 190_000_000
"""Limits of one batch file (the API takes 200 MB)."""
DISCOUNT = 0.5


@dataclass(frozen=True)
class BatchLine:
    """One request as a line of a batch file, or why there is none."""

    case: Case
    text: str = ""
    problem: str = ""


async def request_lines(agent: VlmAgent, cases: Iterable[Case]) -> AsyncIterator[BatchLine]:
    """Yields a line for each case's first reading; raises ``DataError`` for an agent that needs several calls."""
    for case in cases:
        try:
            request = await agent.first_request(case)
        except ImageError as error:
            yield BatchLine(case, problem=str(error))
            continue
        if request is None:
            raise DataError(f"agent {agent.name} takes several calls or another API: no batch file can hold them")
        path, body = sent_as(request)
        row = {"custom_id": case.id, "method": "POST", "url": f"/v1{path}", "body": body}
        yield BatchLine(case, json.dumps(row, ensure_ascii=False) + "\n")


async def write_requests(
    lines: AsyncIterator[BatchLine], path: Path, *, most_lines: int = MOST_LINES
) -> tuple[Path, ...]:
    """Writes the lines to ``path``, and to ``-2``, ``-3``… if one file would be too large."""
    files: list[Path] = []
    count, size, out = 0, 0, None
    try:
        async for line in lines:
            data = line.text.encode()
            if out is None or count >= most_lines or size + len(data) > MOST_BYTES:
                if out is not None:
                    out.close()
                files.append(path if not files else path.with_name(f"{path.stem}-{len(files) + 1}{path.suffix}"))
                out, count, size = files[-1].open("wb"), 0, 0
            out.write(data)
            count, size = count + bool(data), size + len(data)
    finally:
        if out is not None:
            out.close()
    return tuple(files)


def read_results(
    agent: VlmAgent,
    path: Path,
    cases: Mapping[str, Case],
    price: TokenPrice | None,
    unreadable: Callable[[int, str], None] = lambda _, __: None,
) -> Iterator[tuple[Case, Answer]]:
    """Yields every result with its case, in file order: an opinion, or an abstention with its cause.

    Calls ``unreadable`` with the number of each line that is not a result, and the reason. Raises ``DataError`` for a
    file that cannot be read or holds no results, and for results about other cases.
    """
    try:
        lines = list(enumerate(read_bytes(path).split(b"\n"), start=1))
    except FileError as error:
        raise DataError(f"{path} cannot be read as batch results: {error}") from None
    found = 0
    for number, line in lines:
        if not line.strip():
            continue
        try:
            row = _row(line)
        except CallFault as fault:
            unreadable(number, fault.detail)
            continue
        found += 1
        case = cases.get(row["custom_id"])
        if case is None:
            raise DataError(f"{path} holds a result about an image that is not in the data: name the data it was for")
        yield case, _answer(agent, case, row, price)
    if not found:
        raise DataError(f"{path} cannot be read as batch results: none of its lines is one")


def _row(line: bytes) -> Json:
    row = parsed(line)
    if not isinstance(row, dict) or not isinstance(row.get("custom_id"), str):
        raise CallFault("server", "the line names no request: `custom_id` is missing")
    return row


def _answer(agent: VlmAgent, case: Case, row: Json, price: TokenPrice | None) -> Answer:
    try:
        return agent.opinion_from(case, _completion(row, price))
    except CallFault as fault:
        return fault.abstention(agent.name)


def _completion(row: Json, price: TokenPrice | None) -> Completion:
    response = object_of(row.get("response"))
    status, body, named = status_of(response.get("status_code"), 500), response.get("body"), response.get("request_id")
    request_id = named if isinstance(named, str) else None
    if status != 200:
        error = object_of(row.get("error")) or object_of(object_of(body).get("error"))
        raise fault_of_status(status, error or {"message": "the batch gave no answer"}, request_id)
    try:
        completion = completion_of(body, request_id)
    except CallFault as fault:
        fault.usage = _priced(fault.usage, price)
        raise
    return completion.model_copy(update={"usage": _priced(completion.usage, price)})


def _priced(usage: Usage, price: TokenPrice | None) -> Usage:
    """Adds the cost; None if the server reports no usable token count."""
    known = None if price is None or not usage.input_tokens else DISCOUNT * cost(price, usage)
    return usage.model_copy(update={"cost_usd": known})


async def training_line(case: Case, options: VlmOptions, context: VlmContext) -> str:
    """One example for vision fine-tuning: chat JSONL with the image and the letter of the case's label.

    Only the label is known, so only the label is trained. With ``confidence = "logprobs"`` the tuned model gives the
    probabilities. Raises ``ImageError``, and ``TaskError`` for a label that the task does not have.
    """
    form, task = LetterForm(), context.task
    order = shuffled(task, case.id, "fine-tuning")
    image = await context.pictures.url(case, options.image_side)
    question, answer_form = context.prompts.get(options.prompt), context.prompts.get(form.prompt)
    request = build_request(question, form, answer_form, task, order, image, model=options.model)
    label = task.names[task.index(str(case.label))]
    letter = next(one.letter for one in shown(task, order) if one.name == label)
    messages = [*request.messages, {"role": "assistant", "content": letter}]
    return json.dumps({"messages": messages}, ensure_ascii=False) + "\n"
