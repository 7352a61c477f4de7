"""Models that never answer, and models whose answers are worthless: what they cost, and what they do to a panel."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.data import leaves
from benchmarks.figure import Figure
from doubleread.core.case import Case
from doubleread.core.errors import PanelError
from doubleread.core.types import Labels, Vector
from doubleread.core.verdict import Verdict
from doubleread.evals.splits import split
from doubleread.mock_server import MockReply, RawReply, Received, running
from doubleread.orchestrator.metrics import CLIP
from doubleread.orchestrator.resampling import bootstrap
from doubleread.panel import Panel
from doubleread.settings import Settings, load_settings

LOCAL = ("discriminant", "neighbours", "logistic", "texture")
PRICE = {"input": 2.5, "output": 10.0}
Answer = Callable[[Received], MockReply | RawReply]


def never_answers() -> Iterator[Figure]:
    """Calls that fitting makes to a model that never answers, by how it fails."""
    dataset = leaves()
    cases = split(dataset.cases, seed=0)
    replies: dict[str, RawReply | MockReply] = {
        "spent credit": RawReply(402, {"error": {"message": "Insufficient credits.", "code": 402}}),
        "a refused field": RawReply(422, {"detail": "this server takes no such question"}),
        "answers that cannot be read": MockReply(text="probably rust"),
    }
    for name, reply in replies.items():
        with running(otherwise=reply) as mock:
            told = "fitted"
            try:
                Panel.fit(cases, dataset.task, settings=_settings(mock.base_url)).close()
            except PanelError as error:
                told = str(error)[:150]
            calls = len(mock.server.requests)
        target = "<= 40" if isinstance(reply, MockReply) else "<= 20"
        yield Figure(name=f"never_answers.{name}: calls", value=calls, n=len(cases), target=target, note=told)


def garbage_agent() -> Iterator[Figure]:
    """Unseen leaves: a panel with a worthless model against the same panel without it, paired over blocks."""
    dataset = leaves()
    cases = split(dataset.cases, seed=0)
    tests = sorted((case for case in cases if case.split == "test"), key=lambda case: case.id)
    groups = [str(case.group) for case in tests]
    with Panel.fit(cases, dataset.task, settings=_settings("", LOCAL)) as panel:
        alone = _losses(panel, tests)
    for name, answer in {"random": _random, "always the same": _same}.items():
        with running(otherwise=answer) as mock:
            with Panel.fit(cases, dataset.task, settings=_settings(mock.base_url)) as panel:
                asked = len(mock.server.requests)
                losses = _losses(panel, tests)
                why = panel.left_out.get("model", "not left out")
            calls = len(mock.server.requests) - asked
        told = f"garbage_agent.{name}: calls at diagnosis"
        yield Figure(name=told, value=calls, n=len(tests), target="== 0", note=why)
        gain = bootstrap(partial(_mean, losses - alone), len(tests), groups=groups)
        note = f"log-loss with it minus without it, paired, over {len(set(groups))} blocks"
        yield Figure.of(f"garbage_agent.{name}: log-loss added", gain, len(tests), "<= 0.001", note)


def _settings(base_url: str, agents: tuple[str, ...] = (*LOCAL, "model")) -> Settings:
    model = {"model": "mock-1", "base_url": base_url or "http://127.0.0.1:9/v1", "price": PRICE, "attempts": 1}
    flags: dict[str, dict[str, Any]] = {"panel": {"agents": agents}, "trust": {"consistency_cases": 0}}
    return load_settings(None, flags | ({"vlm": {"model": model}} if base_url else {}))


def _losses(panel: Panel, tests: Sequence[Case]) -> Vector:
    verdicts = [one for one in panel.diagnose_many(tests) if isinstance(one, Verdict)]
    shares = np.array([one.scores[str(one.case.label)] for one in verdicts])
    return np.asarray(-np.log(np.clip(shares, CLIP, 1)), dtype=np.float64)


def _mean(values: Vector, rows: Labels) -> float:
    return float(values[rows].mean())


def _labels(received: Received) -> list[str]:
    schema = received.body["response_format"]["json_schema"]["schema"]
    return list(schema["properties"]["label"]["enum"])


def _random(received: Received) -> MockReply:
    """A distribution that depends on the question, and on nothing in the image that matters."""
    chance = random.Random(json.dumps(received.body))  # noqa: S311 - an experiment
    names = _labels(received)
    weights = [chance.gammavariate(0.6, 1) + 1e-6 for _ in names]
    return _said({name: weight / sum(weights) for name, weight in zip(names, weights, strict=True)})


def _same(received: Received) -> MockReply:
    """Always the same label, and always sure of it."""
    names = sorted(_labels(received))
    return _said({name: 0.99 if name == names[0] else 0.01 / (len(names) - 1) for name in names})


def _said(shares: dict[str, float]) -> MockReply:
    label = max(shares, key=lambda name: shares[name])
    return MockReply(text=json.dumps({"findings": "invented", "probabilities": shares, "label": label}))
