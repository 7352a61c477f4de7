"""Answers of a dry run: recorded ones, or invented ones with a given accuracy.

The client rescales and re-encodes images and sends no file names, so cases are recognised by their thumbnails.
"""

import io
import json
import math
import random
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from doubleread.agents.recorded.book import AnswerBook
from doubleread.core.case import Case
from doubleread.core.opinion import Opinion
from doubleread.mock_server.asked import ParsedRequest, Refused
from doubleread.mock_server.mock_app import Say
from doubleread.mock_server.mock_reply import CHARACTERS, Fault, MockReply, Received
from doubleread.mock_server.schema_answers import answer_for, listed

SIDE = 16
ALIKE = 4.0
"""Mean difference of two thumbnails, of 255, up to which they show the same image."""
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
LEADS = (0.6, 0.7, 0.8, 0.9, 0.95)
"""Stated confidences: few and high, like those of models."""
INVENTED = "mock server: invented answer"
UNKNOWN = "mock server: invented answer, as for the most similar of its images"
_LETTERS = re.compile(r"^([A-Z]): (.+)$", re.MULTILINE)
_OPTIONS = re.compile(r'as here: ((?:"[^"]+"(?:, )?)+)')


class Seen(NamedTuple):
    """The most similar case, and whether it is the image that was sent."""

    case: Case
    known: bool


class DryRun:
    """Answers a request as a model might, about the case it shows.

    ``accuracy`` is the share of right invented first answers; second looks correct half of the others. ``faults`` are
    the shares of requests that fail, by name; ``spells`` are faults of all requests in the first seconds.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        thumbnails: Sequence[NDArray[np.uint8]],
        *,
        accuracy: float,
        book: AnswerBook | None = None,
        faults: Mapping[str, float] | None = None,
        spells: Mapping[str, float] | None = None,
    ) -> None:
        self._cases, self._looks = list(cases), np.stack(thumbnails).astype(np.int32).reshape(len(cases), -1)
        self._labels = sorted({str(case.label) for case in cases})
        self._accuracy, self._book, self._faults = accuracy, book, dict(faults or {})
        self._spells, self._began = dict(spells or {}), math.inf
        self._chance = random.Random(0)  # noqa: S311 - an experiment, no secret

    def __call__(self, received: Received) -> Say:
        return self._fault(received.at) or self._answer(received.asked or ParsedRequest(""))

    def _fault(self, at: float) -> Fault | None:
        self._began = min(self._began, at)
        for name, seconds in self._spells.items():
            if at - self._began < seconds:
                return Fault(name)
        for name, share in self._faults.items():
            if self._chance.random() < share:
                return Fault(name, retry_after=1.0 if name == "rate-limit" else None)
        return None

    def _answer(self, asked: ParsedRequest) -> MockReply:
        seen = [self._recognise(image) for image in asked.images][-1:]
        case, round_ = (seen[0].case if seen else None), (2 if len(asked.images) > 1 else 1)
        options = _options(asked) or self._labels
        shares, findings = self._recorded(seen, asked.model, round_, options) or self._invented(
            case, asked.model, round_, options
        )
        if seen and not seen[0].known:
            findings = UNKNOWN
        return replace(_reply(asked, shares, findings), model=asked.model)

    def _recognise(self, data: bytes) -> Seen:
        looks = _pixels(data).astype(np.int32).ravel()
        distances = ((self._looks - looks) ** 2).sum(axis=1)
        nearest = int(distances.argmin())
        return Seen(self._cases[nearest], float(np.abs(self._looks[nearest] - looks).mean()) <= ALIKE)

    def _recorded(
        self, seen: Sequence[Seen], model: str, round_: int, options: Sequence[str]
    ) -> tuple[dict[str, float], str] | None:
        if self._book is None or not seen or not seen[0].known:
            return None
        case = seen[0].case
        whose = model if model in self._book.agents else self._book.agents[0]
        found = self._book.find(case, whose, round_) or self._book.find(case, whose, 1)
        if not isinstance(found, Opinion) or not {found.label, *found.probabilities} <= set(options):
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
        others = [name for name in options if name != truth]
        said = truth if right or not others else chance.choice(others)
        lead = chance.choice(LEADS) if others else 1.0
        rest = (1 - lead) / max(1, len(others))
        return {name: lead if name == said else rest for name in options}, INVENTED


def thumbnail(image: Image.Image) -> NDArray[np.uint8]:
    """Returns a thumbnail of shape ``(16, 16, 3)``."""
    return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX), np.uint8)


def _pixels(data: bytes) -> NDArray[np.uint8]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return thumbnail(Image.open(io.BytesIO(data), formats=FORMATS))
    except Exception:  # noqa: BLE001 - Pillow raises many kinds for files from elsewhere
        what = (
            f"You uploaded an unsupported image. It must be a whole image of one of the formats {', '.join(FORMATS)}."
        )
    raise Refused(what, code="invalid_image_format")


def _options(asked: ParsedRequest) -> list[str]:
    """Returns the labels that the request names, wherever its answer format lists them."""
    if chosen := next((one.options for one in asked.questions if one.options), ()):
        return [str(option) for option in chosen]
    if asked.logprobs is not None:
        return [label for _, label in _LETTERS.findall(asked.text)]
    if named := listed(asked.schema, "label"):
        return named
    found = _OPTIONS.search(asked.text)
    return re.findall(r'"([^"]+)"', found[1]) if found else []


def _reply(asked: ParsedRequest, shares: dict[str, float], findings: str) -> MockReply:
    best = max(shares, key=lambda name: shares[name])
    read = MockReply(input_tokens=max(1, len(asked.text) // CHARACTERS))
    if asked.questions:
        first = next((one.options for one in asked.questions if one.options), ())
        return replace(read, probabilities={o: shares[str(o)] for o in first}, output_tokens=1)
    rounded = {name: round(share, 4) for name, share in shares.items()}
    hints = {"findings": findings, "probabilities": rounded, "label": best, "confidence": rounded[best]}
    if asked.tool is not None:
        arguments = answer_for(asked.tool.parameters | {"type": "object"}, hints, best, "tools")
        return replace(read, tool_calls=((asked.tool.name, arguments),), output_tokens=_tokens(json.dumps(arguments)))
    if asked.logprobs is not None and (letters := _letters(asked, shares)):
        said = letters[0][0]
        return replace(read, text=said, logprobs=(letters,), output_tokens=1)
    said = _text(asked, hints, best)
    tokens = [said[i : i + CHARACTERS] for i in range(0, len(said), CHARACTERS)]
    logprobs = tuple(((token, -0.1),) for token in tokens) if asked.logprobs is not None else ()
    return replace(read, text=said, logprobs=logprobs, output_tokens=len(tokens))


def _tokens(text: str) -> int:
    return math.ceil(len(text) / CHARACTERS)


def _letters(asked: ParsedRequest, shares: dict[str, float]) -> tuple[tuple[str, float], ...]:
    """The letters of the labels with their log-probabilities, the most probable first; none if none were given."""
    letters = {label: letter for letter, label in _LETTERS.findall(asked.text)}
    ranked = sorted(letters, key=lambda label: -shares.get(label, 0.0))
    return tuple((letters[label], float(np.log(max(shares.get(label, 0.0), 1e-9)))) for label in ranked)


def _text(asked: ParsedRequest, hints: dict[str, object], best: str) -> str:
    if asked.schema is not None:
        return json.dumps(answer_for(asked.schema, hints, best))
    if asked.form == "text" and "json" not in asked.text.lower():
        return f"Probably {best} ({hints['confidence']:.0%}). {hints['findings']}"
    left_out = "probabilities" if '"confidence"' in asked.text else "confidence"
    return json.dumps({name: hint for name, hint in hints.items() if name != left_out})
