"""One model on one server: cache, budget, pace, retries and fallbacks around the door."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from doubleread.agents.wire.answers import AnswerCache, key_of
from doubleread.agents.wire.budget import Budget
from doubleread.agents.wire.door import Door, FeatureMissing
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.pace import Pace
from doubleread.agents.wire.prices import Price, cost, estimate
from doubleread.agents.wire.request import Completion, Request
from doubleread.agents.wire.server import Server
from doubleread.core.opinion import Usage

Check = Callable[[Completion], object]
"""Raises ``CallFault`` for an answer that cannot be used: such answers are not kept."""


@dataclass(frozen=True)
class Answered:
    """A completion; ``cached`` where nothing was sent for it."""

    completion: Completion
    cached: bool


class Line:
    """Asks one model. Lives on the wire's event loop."""

    def __init__(
        self, server: Server, door: Door, pace: Pace, *, price: Price | None, answers: AnswerCache, budget: Budget
    ) -> None:
        self._server, self._door, self._pace, self._price = server, door, pace, price
        self._answers, self._budget = answers, budget
        self._place = f"{server.base_url} {server.model}"

    async def ask(self, agent: str, request: Request, check: Check, *, sample: int = 0) -> Answered:
        """The answer to a request, from the cache or the server; ``sample`` tells repeated questions apart.

        The usage in it is that of all attempts. Raises ``CallFault``, usage included.
        """
        if self._server.key_name and not self._server.key():
            raise CallFault("authentication", f"the environment variable {self._server.key_name} is not set")
        key = key_of(server=self._server.base_url, request=request.model_dump(mode="json"), sample=sample)
        try:
            async with asyncio.timeout(self._server.deadline_s):
                found = await self._answers.get_or_call(key, lambda: self._call(agent, request, check))
        except TimeoutError:
            limit = f"no answer within {self._server.deadline_s:g} s, waiting its turn included"
            raise CallFault("timeout", limit) from None
        if found.cached:
            self._budget.count_cached(agent)
        return Answered(found.completion, found.cached)

    async def _call(self, agent: str, request: Request, check: Check) -> Completion:
        """Tries until an answer passes the check; accidents are repeated after a random pause."""
        used = Usage()
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, CallFault) and error.retryable),
            wait=wait_random_exponential(multiplier=0.5, max=20),
            stop=stop_after_attempt(self._server.attempts),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                try:
                    completion = await self._until_let_in(agent, request)
                    used += completion.usage
                    check(completion)
                except CallFault as fault:
                    used += fault.usage
                    fault.usage = used
                    raise
        return completion.model_copy(update={"usage": used})

    async def _until_let_in(self, agent: str, request: Request) -> Completion:
        """Sends; where the server asks for fewer calls, waits for the next turn, as long as the deadline allows."""
        while True:
            async with self._pace.turn() as turn:
                try:
                    completion = await self._send(agent, request)
                except CallFault as fault:
                    if not fault.limited:
                        raise
                    turn.limited(fault.retry_after)
                else:
                    turn.succeeded()
                    return completion

    async def _send(self, agent: str, request: Request) -> Completion:
        """One answered question, without the features that this server turns out to lack, and paid for."""
        lacking = self._answers.features(self._place)
        while True:
            if request.top_logprobs and "logprobs" in lacking:
                advice = "choose another `confidence` for this agent"
                raise CallFault("bad-request", f"{request.model} gives no token probabilities here: {advice}")
            try:
                return await self._paid(agent, request, lacking)
            except FeatureMissing as missing:
                lacking |= {missing.feature}
                self._answers.lacks(self._place, missing.feature)

    async def _paid(self, agent: str, request: Request, lacking: frozenset[str]) -> Completion:
        expected = None if self._price is None else estimate_of(self._price, request)
        with self._budget.reserve(agent, expected, model=request.model) as reservation:
            try:
                completion = await self._door.send(request, lacking)
            except CallFault as fault:
                fault.usage = self._priced(fault.usage)
                if fault.usage.calls:
                    reservation.settle(fault.usage)
                elif fault.cause in ("timeout", "network"):  # it may have been answered, and charged, all the same
                    reservation.settle(Usage(calls=1, cost_usd=expected))
                raise
            completion = completion.model_copy(update={"usage": self._priced(completion.usage)})
            reservation.settle(completion.usage)
            return completion

    def _priced(self, usage: Usage) -> Usage:
        if not usage.calls:
            return usage
        return usage.model_copy(update={"cost_usd": None if self._price is None else cost(self._price, usage)})


def estimate_of(price: Price, request: Request) -> float:
    """What a request may cost at the most."""
    parts = [part for message in request.messages for part in _parts(message["content"])]
    chars = sum(len(part["text"]) for part in parts if part["type"] == "text")
    images = sum(part["type"] == "image_url" for part in parts)
    return estimate(price, chars, images, request.max_tokens)


def _parts(content: object) -> list[dict[str, str]]:
    return content if isinstance(content, list) else [{"type": "text", "text": str(content)}]
