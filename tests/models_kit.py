"""What tests of agents that ask models share: a wire, a server, pictures, and a clock that does not wait."""

import asyncio
import json
import selectors
from contextlib import contextmanager

from PIL import Image

from doubleread.agents.vlm.agent import VlmAgent, VlmContext
from doubleread.agents.vlm.messages import DataUrls
from doubleread.agents.vlm.vlm_options import VlmOptions
from doubleread.agents.wire.answers import AnswerCache
from doubleread.agents.wire.budget import Budget
from doubleread.agents.wire.prices import PriceTable
from doubleread.agents.wire.wire import Wire
from doubleread.core.case import Case
from doubleread.core.errors import ImageError
from doubleread.core.task import Label, Task
from doubleread.mock_server import MockReply
from doubleread.prompts.library import Library

LEAVES = Task(
    id="leaves",
    about="Single apple leaves.",
    labels=(Label(name="healthy"), Label(name="rust", description="orange pustules"), Label(name="scab")),
)
KEY = "sk-test-0123456789abcdef"


class Plain:
    """Images of one colour each, told apart by the case."""

    def open(self, case: Case, *, max_side: int | None = None) -> Image.Image:
        if case.source == "broken":
            raise ImageError("corrupt", "the file ends too early")
        side = 40 if max_side is None else min(40, max_side)
        return Image.new("RGB", (side, side), tuple(bytes.fromhex(case.id[:6])))


@contextmanager
def wire(*, answers=None, budget=None, prices=None):
    """A wire that is closed at the end."""
    one = Wire(answers or AnswerCache(None), budget or Budget(), PriceTable(prices or {}))
    try:
        yield one
    finally:
        one.close()


def vlm(base_url, on, name="gpt", task=LEAVES, library=None, **options):
    """An agent that asks the server at ``base_url``."""
    usual = {"model": "m", "attempts": 2, "attempt_timeout_s": 30.0, "deadline_s": 60.0}
    context = VlmContext(task, DataUrls(Plain()), on, library or Library())
    return VlmAgent(name, VlmOptions(base_url=base_url, **{**usual, **options}), context)


def says(label="rust", *, findings="orange spots", **shares):
    """A reply with a full distribution."""
    shares = shares or {"healthy": 0.1, "rust": 0.7, "scab": 0.2}
    return MockReply(text=json.dumps({"findings": findings, "probabilities": shares, "label": label}))


def parts(body):
    """All parts of a request, in order; a plain text is one part."""
    contents = [m["content"] for m in body["messages"]]
    return [p for c in contents for p in ([{"type": "text", "text": c}] if isinstance(c, str) else c)]


def texts(body):
    """All text of a request, in order."""
    return [p["text"] for p in parts(body) if p["type"] == "text"]


def images(body):
    """The data URLs of a request, in order."""
    return [p["image_url"]["url"] for p in parts(body) if p["type"] == "image_url"]


class _Jumping:
    """A selector that does not wait: it moves the loop's clock instead."""

    def __init__(self, loop):
        self._loop, self._real = loop, selectors.DefaultSelector()

    def select(self, timeout=None):
        if timeout:
            self._loop.now += timeout
        return self._real.select(0)

    def __getattr__(self, name):
        return getattr(self._real, name)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which an hour takes a moment."""

    now = 0.0

    def __init__(self):
        super().__init__(_Jumping(self))

    def time(self):
        return self.now


def in_virtual_time(coroutine):
    """The coroutine's result, and how many seconds it believes to have taken."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(coroutine), loop.now
    finally:
        loop.close()
