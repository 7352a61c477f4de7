"""Builds the messages of one call: system, question, images, answer form; never a file name or an id."""

import asyncio
import base64
import io
import random
from collections.abc import Sequence
from hashlib import sha256
from itertools import zip_longest
from string import ascii_uppercase
from typing import Any

from doubleread.agents.vlm._forms import Form
from doubleread.agents.wire.request import Request
from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.ports import ImageSource
from doubleread.core.recent_values import RecentValues
from doubleread.core.task import Task
from doubleread.core.types import Json
from doubleread.prompts.prompt import Prompt

JPEG_QUALITY = 92
HELD = 256
"""Cached pictures, least recently used removed first: enough for the cases in flight and their references."""


class ReferenceImage(Record):
    """A retrieved case for comparison: its confirmed label and its image as a data URL."""

    label: str
    url: str


class ShownLabel(Record):
    """A label as shown in a prompt."""

    name: str
    description: str
    letter: str


def shuffled(task: Task, *salt: object) -> tuple[str, ...]:
    """Label names in an order that depends only on the salt: models are biased by list position."""
    names = list(task.names)
    seed = sha256("\x1f".join(map(str, salt)).encode()).digest()
    random.Random(seed).shuffle(names)  # noqa: S311 - an order, no secret
    return tuple(names)


def shown(task: Task, order: Sequence[str]) -> list[ShownLabel]:
    """The labels in display order, with letters."""
    described = {label.name: label.description for label in task.labels}
    letters = [*ascii_uppercase, *("" for _ in order)]  # only letter forms need them, and they limit the labels
    return [ShownLabel(name=n, description=described[n], letter=x) for n, x in zip(order, letters, strict=False)]


def build_request(
    question: Prompt,
    form: Form,
    form_prompt: Prompt | None,
    task: Task,
    order: Sequence[str],
    image: str,
    references: Sequence[ReferenceImage] = (),
    note: str = "",
    **fields: Any,
) -> Request:
    """Builds the request: a new conversation in which the image comes last, after the references.

    The text contains only the prompts' own variables, the task's words and ``note``, which stands behind the question
    and before the images so that the answer form comes last.
    """
    labels = shown(task, order)
    given = contested(question, order, references)
    user = "\n\n".join(filter(None, (question.render("user", about=task.about, labels=labels, **given), note)))
    content = [text_part(user)]
    for i, reference in enumerate(references, start=1):
        content += [text_part(question.render("reference", number=i, label=reference.label)), _image(reference.url)]
    if "case" in question.sections:
        content.append(text_part(question.render("case", **given)))
    content.append(_image(image))
    if form_prompt is not None:
        content.append(text_part(form_prompt.render("answer", labels=labels)))
    messages = chat(question.render("system"), content)
    return Request(messages=messages, instructions=user, **form.fields(task, order), **fields)


def contested(question: Prompt, order: Sequence[str], references: Sequence[ReferenceImage]) -> dict[str, list[str]]:
    """The labels that the references show, in display order, if the prompt names them.

    They tell the model nothing that the references do not.
    """
    labels = {reference.label for reference in references}
    named = "contested" in question.variables
    return {"contested": [name for name in order if name in labels]} if named else {}


def chat(system: str, user: Sequence[Json]) -> tuple[Json, ...]:
    """A new conversation: a system message and the parts of a user message."""
    return {"role": "system", "content": [text_part(system)]}, {"role": "user", "content": list(user)}


def text_part(text: str) -> Json:
    """A text part of a message."""
    return {"type": "text", "text": text}


def _image(url: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def choose_references(evidence: Evidence, most: int) -> list[Case]:
    """Selects at most ``most`` stored cases with a picture: the nearest of each contested label in turn.

    Without contested labels, uses the labels of the retrieved cases. Taking turns keeps the number of references from
    hinting at the right label.
    """
    pool = {n.case_id: n for n in (*evidence.contrast, *evidence.neighbours) if n.path is not None}
    labels = evidence.contested or tuple(dict.fromkeys(n.label for n in evidence.neighbours))
    nearest = sorted(pool.values(), key=lambda n: -n.similarity)
    of_label = [[n for n in nearest if n.label == label] for label in labels]
    in_turn = [n for row in zip_longest(*of_label) for n in row if n is not None]
    return [Case(id=n.case_id, path=n.path, label=n.label) for n in in_turn[:most]]


class DataUrls:
    """Images as data URLs, upright, bounded in size, pixels only; cached and shared by all agents."""

    def __init__(self, images: ImageSource) -> None:
        self._images = images
        self._held = RecentValues[tuple[str, int], str](HELD)

    async def url(self, case: Case, side: int) -> str:
        """The image as a JPEG data URL whose longer side is at most ``side`` pixels; raises ``ImageError``."""
        found = self._held.find((case.id, side))
        return found if found is not None else await asyncio.to_thread(self._make, case, side)

    def _make(self, case: Case, side: int) -> str:
        key = (case.id, side)
        with self._held.making(key):  # agents request the same image at the same time
            if found := self._held.find(key):
                return found
            buffer = io.BytesIO()
            self._images.open(case, max_side=side).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
            url = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
            self._held.keep(key, url)
            return url
