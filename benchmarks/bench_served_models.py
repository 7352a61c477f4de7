"""Refusals and answers of real servers and models: how many are understood, and how many calls are made in vain."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure
from doubleread.agents.vlm._forms import DistributionForm
from doubleread.agents.wire.answers import AnswerCache
from doubleread.agents.wire.budget import Budget
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.prices import PriceTable
from doubleread.agents.wire.request import Completion, Request
from doubleread.agents.wire.server_options import Server
from doubleread.agents.wire.wire import Wire
from doubleread.core.task import Label, Task
from doubleread.mock_server import MockReply, RawReply, Received, running

_TESTS = Path(__file__).parent.parent / "tests" / "agents"
_TASK = Task(id="leaves", labels=tuple(Label(name=name) for name in ("healthy", "rust", "scab")))
_QUESTION = Request(
    model="m",
    messages=({"role": "system", "content": "look"}, {"role": "user", "content": "which?"}),
    answer_schema={"type": "object"},
)
_DEADLINE_S = 0.5
"""Enough to be refused once; what asks to wait is not waited for."""


def refusals_read() -> Iterator[Figure]:
    """Bodies that servers send: the right cause, and calls beyond those that could succeed."""
    bodies = json.loads((_TESTS / "wire" / "refusal_bodies.json").read_text(encoding="utf-8"))
    wrong, in_vain = list[str](), 0
    for one in bodies:
        cause, calls = _asked(one)
        if cause != one["cause"]:
            wrong.append(f"{one['name']}: {cause or 'answered'}")
        if one["step"] == "stop" or one["without"]:
            in_vain += calls - (2 if one["without"] else 1)
    told = "; ".join(wrong) or "all with the right cause"
    yield Figure(name="refusals_read.wrong cause", value=len(wrong), n=len(bodies), target="== 0", note=told)
    yield Figure(name="refusals_read.calls in vain", value=in_vain, n=len(bodies), target="== 0")


def answers_read() -> Iterator[Figure]:
    """Answers that models write: usable ones that are read, and others that are told apart."""
    answers = json.loads((_TESTS / "vlm" / "model_answers.json").read_text(encoding="utf-8"))
    found = [(one["name"], one["want"], _outcome(one["text"])) for one in answers]
    usable = [got == want for _, want, got in found if want in _TASK.names]
    others = [got == want for _, want, got in found if want not in _TASK.names]
    told = "; ".join(f"{name}: {got}" for name, want, got in found if got != want)
    yield Figure(name="answers_read.usable, read", value=sum(usable) / len(usable), n=len(usable), note=told)
    yield Figure(name="answers_read.others, told apart", value=sum(others) / len(others), n=len(others))


def _asked(one: dict[str, Any]) -> tuple[str, int]:
    """The cause that a refusal comes to, empty if it was answered in the end, and the calls made."""

    def answer(received: Received) -> RawReply | MockReply:
        sent = json.dumps({key: value for key, value in received.body.items() if key != "model"})
        left = {"json_schema": '"json_schema"', "system": '"system"'}
        refused = not one["without"] or any(left.get(name, f'"{name}"') in sent for name in one["without"])
        return RawReply(one["status"], one["body"]) if refused else MockReply(text="yes")

    async def ask(wire: Wire, base_url: str) -> str:
        server = Server(model="m", base_url=base_url, attempts=1, deadline_s=_DEADLINE_S)
        try:
            await wire.ask(server, "benchmark", _QUESTION, lambda completion: completion)
        except CallFault as fault:
            return fault.cause
        return ""

    with running(otherwise=answer) as mock:
        wire = Wire(AnswerCache(None), Budget(), PriceTable())
        try:
            return asyncio.run(ask(wire, mock.base_url)), len(mock.server.requests)
        finally:
            wire.close()


def _outcome(text: str) -> str:
    try:
        return DistributionForm().read(Completion(text=text), _TASK, _TASK.names).label
    except CallFault as fault:
        return fault.cause
