"""The messages of one call: system, question, images, and the form of the answer. Never a file name or an id."""

import random
from collections.abc import Sequence
from hashlib import sha256
from string import ascii_uppercase
from typing import Any

from doubleread.agents.vlm.forms import Form
from doubleread.agents.wire.request import Request
from doubleread.core.base import Record
from doubleread.core.task import Task
from doubleread.core.types import Json
from doubleread.prompts.prompt import Prompt


class Reference(Record):
    """A retrieved case to compare with: its confirmed label and its image as a data URL."""

    label: str
    url: str


class ShownLabel(Record):
    """A label as a prompt sees it."""

    name: str
    description: str
    letter: str


def shuffled(task: Task, *salt: object) -> tuple[str, ...]:
    """Label names in an order that depends on the salt only: the place in a list sways models."""
    names = list(task.names)
    seed = sha256("\x1f".join(map(str, salt)).encode()).digest()
    random.Random(seed).shuffle(names)  # noqa: S311 - an order, no secret
    return tuple(names)


def shown(task: Task, order: Sequence[str]) -> list[ShownLabel]:
    """The labels of a prompt in the order they are shown, lettered."""
    described = {label.name: label.description for label in task.labels}
    letters = [*ascii_uppercase, *("" for _ in order)]  # only a form with letters needs them, and it bounds the labels
    return [ShownLabel(name=n, description=described[n], letter=x) for n, x in zip(order, letters, strict=False)]


def put(
    model: str,
    question: Prompt,
    form: Form,
    form_prompt: Prompt | None,
    task: Task,
    order: Sequence[str],
    image: str,
    references: Sequence[Reference] = (),
    note: str = "",
    **fields: Any,
) -> Request:
    """The request: a fresh conversation in which the image comes last, after the references.

    Only the prompts' own variables and the task's words get into the text, and a ``note`` as a prompt has put it:
    behind the question and before the images, so that the form of the answer has the last word.
    """
    labels = shown(task, order)
    user = "\n\n".join(filter(None, (question.render("user", about=task.about, labels=labels), note)))
    content = [text_part(user)]
    for i, reference in enumerate(references, start=1):
        content += [text_part(question.render("reference", number=i, label=reference.label)), _image(reference.url)]
    if "case" in question.sections:
        content.append(text_part(question.render("case")))
    content.append(_image(image))
    if form_prompt is not None:
        content.append(text_part(form_prompt.render("answer", labels=labels)))
    messages = (
        {"role": "system", "content": [text_part(question.render("system"))]},
        {"role": "user", "content": content},
    )
    return Request(model=model, messages=messages, instructions=user, **form.fields(task, order), **fields)


def text_part(text: str) -> Json:
    """A piece of a message."""
    return {"type": "text", "text": text}


def _image(url: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}
