"""Answers of a dry run: recorded ones, or invented ones with a given accuracy.

The client rescales and re-encodes images and sends no file names, so cases are recognised by their thumbnails.
"""

import base64
import io
import json
import random
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from string import ascii_uppercase
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from doubleread.agents.recorded.book import AnswerBook
from doubleread.core.case import Case
from doubleread.core.opinion import Opinion
from doubleread.mock_server.mock_app import Say
from doubleread.mock_server.mock_reply import Fault, MockReply, Received

SIDE = 16
LEADS = (0.6, 0.7, 0.8, 0.9, 0.95)
"""Stated confidences: few and high, like those of models."""
INVENTED = "mock server: invented answer"
_LETTERS = re.compile(r"^([A-Z]): (.+)$", re.MULTILINE)
_OPTIONS = re.compile(r'as here: ((?:"[^"]+"(?:, )?)+)')


class DryRun:
    """Answers a request as a model might, about the case it shows.

    ``accuracy`` is the share of right invented first answers; second looks correct half of the others. ``faults`` are
    the shares of requests that fail, by name.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        thumbnails: Sequence[NDArray[np.uint8]],
        *,
        accuracy: float,
        book: AnswerBook | None = None,
        faults: Mapping[str, float] | None = None,
    ) -> None:
        self._cases, self._looks = list(cases), np.stack(thumbnails).astype(np.int32).reshape(len(cases), -1)
        self._labels = sorted({str(case.label) for case in cases})
        self._accuracy, self._book, self._faults = accuracy, book, dict(faults or {})
        self._chance = random.Random(0)  # noqa: S311 - an experiment, no secret

    def __call__(self, received: Received) -> Say:
        for name, share in self._faults.items():
            if self._chance.random() < share:
                return Fault(name, retry_after=1.0 if name == "rate-limit" else None)
        body = received.body
        images = [part for part in _parts(body) if _url(part)]
        case = self._recognise(_url(images[-1])) if images else None
        round_ = 2 if len(images) > 1 else 1
        options = _options(body) or self._labels
        shares, findings = self._recorded(case, body["model"], round_, options) or self._invented(
            case, body["model"], round_, options
        )
        return _reply(body, shares, findings)

    def _recognise(self, url: str) -> Case:
        data = base64.b64decode(url.partition(",")[2])
        looks = thumbnail(Image.open(io.BytesIO(data))).astype(np.int32).ravel()
        return self._cases[int(((self._looks - looks) ** 2).sum(axis=1).argmin())]

    def _recorded(
        self, case: Case | None, model: str, round_: int, options: Sequence[str]
    ) -> tuple[dict[str, float], str] | None:
        if case is None or self._book is None:
            return None
        whose = model if model in self._book.agents else self._book.agents[0]
        found = self._book.find(case, whose, round_) or self._book.find(case, whose, 1)
        if not isinstance(found, Opinion):
            return None
        rest = (1 - found.confidence) / max(1, len(options) - 1)
        spread = {name: found.confidence if name == found.label else rest for name in options}
        return (found.probabilities or spread), found.reason

    def _invented(
        self, case: Case | None, model: str, round_: int, options: Sequence[str]
    ) -> tuple[dict[str, float], str]:
        chance = random.Random(sha256(f"{case.id if case else ''} {model}".encode()).digest())  # noqa: S311
        truth = case.label if case is not None and case.label in options else chance.choice(list(options))
        right = chance.random() < self._accuracy or (round_ == 2 and chance.random() < 0.5)
        said = truth if right else chance.choice([name for name in options if name != truth])
        lead = chance.choice(LEADS)
        rest = (1 - lead) / (len(options) - 1)
        return {name: lead if name == said else rest for name in options}, INVENTED


def thumbnail(image: Image.Image) -> NDArray[np.uint8]:
    """Returns a thumbnail of shape ``(16, 16, 3)``."""
    return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX), np.uint8)


def _parts(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages = body.get("messages") or body.get("input") or []
    return [part for message in messages if isinstance(message["content"], list) for part in message["content"]]


def _url(part: Mapping[str, Any]) -> str:
    found = part.get("image_url", "")
    return str(found.get("url", "") if isinstance(found, dict) else found)


def _text(body: Mapping[str, Any]) -> str:
    return "\n".join(part["text"] for part in _parts(body) if "text" in part)


def _options(body: Mapping[str, Any]) -> list[str]:
    """Returns the labels that the request names, wherever its answer format lists them."""
    if "questions" in body:
        return [choice["value"] for choice in body["questions"][0]["choices"]]
    if body.get("logprobs"):
        return [label for _, label in _LETTERS.findall(_text(body))]
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    if schema:
        return list(schema["properties"]["label"]["enum"])
    found = _OPTIONS.search(_text(body))
    return re.findall(r'"([^"]+)"', found[1]) if found else []


def _reply(body: Mapping[str, Any], shares: dict[str, float], findings: str) -> MockReply:
    text, best = _text(body), max(shares, key=lambda name: shares[name])
    tokens = len(text) // 4
    if "questions" in body:
        return MockReply(probabilities=shares, input_tokens=tokens)
    if body.get("logprobs"):
        ranked = sorted(shares, key=lambda name: -shares[name])
        letters = {label: letter for letter, label in _LETTERS.findall(text)} or dict(
            zip(shares, ascii_uppercase, strict=False)
        )
        logs = tuple((letters[name], float(np.log(max(shares[name], 1e-9)))) for name in ranked)
        return MockReply(text=letters[best], logprobs=(logs,), input_tokens=tokens, output_tokens=1)
    answer: dict[str, object] = {"findings": findings, "label": best}
    if '"confidence"' in text:
        answer["confidence"] = round(shares[best], 4)
    else:
        answer = {"findings": findings, "probabilities": {n: round(p, 4) for n, p in shares.items()}, "label": best}
    said = json.dumps(answer)
    return MockReply(text=said, input_tokens=tokens, output_tokens=len(said) // 4)
