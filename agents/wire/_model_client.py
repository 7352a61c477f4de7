"""Calls one model: from the cache or the server, with retries, at the server's pace, within the budget."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from doubleread.agents.wire._missing_features import OTHER_SOURCE, FeatureMissing
from doubleread.agents.wire._pace import RateController
from doubleread.agents.wire.answers import AnswerCache, CallResult, key_of
from doubleread.agents.wire.bodies import CHAT, both_limits, limit_name
from doubleread.agents.wire.budget import Budget, Reservation
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.prices import TokenPrice, charged, estimate_of
from doubleread.agents.wire.request import Completion, Request
from doubleread.agents.wire.sender import Sender
from doubleread.agents.wire.server_options import Server
from doubleread.core.opinion import Usage

LONGER = 1.5
"""Times as many tokens as asked for show that the limit was ignored; servers count a few more than were asked for."""
Check = Callable[[Completion], object]
"""Raises ``CallFault`` for an unusable answer, which is then not cached."""


_OWN_PAUSE_S = 3.0
"""Seconds that a call waits by itself if the server was not ready for it but answers others."""
_GROWING = wait_random_exponential(multiplier=0.5, max=20)


@dataclass
class _Call:
    """One call with all its attempts: until when it may take, what was sent, and the last refusal to let it in."""

    until: float
    made: list[Reservation] = field(default_factory=list)
    refused: CallFault | None = None

    @property
    def usage(self) -> Usage:
        return sum((one.usage for one in self.made), Usage())


class ModelClient:
    """Calls one model, on the wire's event loop."""

    def __init__(
        self,
        server: Server,
        client: Sender,
        pace: RateController,
        *,
        price: TokenPrice | None,
        answers: AnswerCache,
        budget: Budget,
    ) -> None:
        self._server, self._client, self._pace, self._price = server, client, pace, price
        self._answers, self._budget = answers, budget
        self._place = f"{server.base_url} {server.model}"

    async def ask(self, agent: str, request: Request, check: Check, *, sample: int = 0) -> CallResult:
        """Returns the answer to a request from the cache or the server; ``sample`` distinguishes repeated requests.

        The usage is that of all attempts. Raises ``CallFault``, with the usage.
        """
        if self._server.key_name and not self._server.key():
            raise CallFault("authentication", f"the environment variable {self._server.key_name} is not set")
        key = key_of(server=self._server.base_url, request=request.model_dump(mode="json"), sample=sample)
        call = _Call(until=asyncio.get_running_loop().time() + self._server.deadline_s)
        try:
            async with asyncio.timeout(self._server.deadline_s):
                found = await self._answers.get_or_call(key, lambda: self._call(agent, request, check, call))
        except TimeoutError:
            raise self._too_late(call) from None
        except CallFault as fault:
            raise fault.with_usage(call.usage) from None
        if found.cached:
            self._budget.count_cached(agent)
        return found

    def _too_late(self, call: _Call) -> CallFault:
        """What a call that ran out of time failed of: the last refusal if there was one."""
        limit, refused = f"{self._server.deadline_s:g} s", call.refused or self._pace.refusal
        if refused is None:
            detail = f"no answer within {limit}, including the wait for its turn"
            return CallFault("timeout", detail, usage=call.usage)
        detail = f"{refused.detail} (not let in within {limit})"
        return CallFault(refused.cause, detail, usage=call.usage, request_id=refused.request_id)

    async def _call(self, agent: str, request: Request, check: Check, call: _Call) -> Completion:
        """Retries with random pauses until an answer passes the check.

        ``call`` receives every attempt, so that the usage is known even if waiting is interrupted.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, CallFault) and error.step == "repeat"),
            wait=_pause,
            stop=stop_after_attempt(self._server.attempts),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                completion = await self._until_let_in(agent, request, call)
                check(completion)
        return completion.model_copy(update={"usage": call.usage})

    async def _until_let_in(self, agent: str, request: Request, call: _Call) -> Completion:
        """Sends; if the server asks for fewer calls or is not ready, waits for another turn within the deadline."""
        while True:
            if self._pace.resumes > call.until and self._pace.refusal is not None:
                raise self._pace.refusal.with_usage(Usage())  # the server takes no call before the deadline
            async with self._pace.turn() as turn:
                try:
                    completion = await self._send(agent, request, call.made)
                except CallFault as fault:
                    if fault.step not in ("slow-down", "wait"):
                        if fault.free:
                            turn.succeeded()
                        raise
                    call.refused = fault
                    turn.limited(fault)
                else:
                    turn.succeeded()
                    return completion
            if self._pace.refusal is None and call.refused.step == "wait":  # others are answered
                await asyncio.sleep(_OWN_PAUSE_S)
            if call.refused.retry_after and asyncio.get_running_loop().time() + call.refused.retry_after > call.until:
                raise call.refused

    async def _send(self, agent: str, request: Request, made: list[Reservation]) -> Completion:
        """Sends one paid request, without features that the server turns out to lack.

        What it lacks is stored once a request without it succeeded, and forgotten when one without it is refused.
        """
        lessons = self._answers.lessons
        lacking = relied = lessons.known(self._place)
        elsewhere: CallFault | None = None
        while True:
            if request.top_logprobs and "logprobs" in lacking:
                raise CallFault("unsupported", f"{request.model} gives no token probabilities here: {OTHER_SOURCE}")
            try:
                completion = await self._paid(agent, request, lacking, made)
            except FeatureMissing as missing:
                lacking |= missing.features
                if both_limits(lacking):  # one of the two lessons is wrong
                    lessons.failed(self._place, limit=True)
                    if not relied:
                        raise missing.fault from None
                    lacking = relied = frozenset()
                    continue
                lessons.try_without(self._place, missing.features)
                elsewhere = missing.fault if CHAT in missing.features else elsewhere
            except CallFault as fault:
                raise self._unlearned(fault, lacking, elsewhere) from None
            else:
                lessons.worked(self._place, lacking - lessons.stored(self._place))
                self._check_length(completion, request, lacking)
                return completion

    def _unlearned(self, fault: CallFault, lacking: frozenset[str], elsewhere: CallFault | None) -> CallFault:
        """Forgets lessons that did not help, and returns what the call failed of.

        ``elsewhere`` is the refusal that led to the Responses API; it counts if there is no such API.
        """
        nowhere = elsewhere is not None and fault.cause == "not-found"
        if nowhere or (lacking and fault.cause == "bad-request"):
            self._answers.lessons.failed(self._place)
        return elsewhere if elsewhere is not None and nowhere else fault

    def _check_length(self, completion: Completion, request: Request, lacking: frozenset[str]) -> None:
        """Learns from an answer longer than asked for that the limit must be sent under its other name."""
        name = limit_name(lacking, self._client.limit)
        lessons, longer = self._answers.lessons, completion.usage.output_tokens > LONGER * request.max_tokens
        if CHAT in lacking:
            return  # the Responses API has one name for it, and a least value
        if longer and not both_limits(lacking | {name}) and lessons.limit_is_open(self._place):
            lessons.try_without(self._place, {name})

    async def _paid(self, agent: str, request: Request, lacking: frozenset[str], made: list[Reservation]) -> Completion:
        expected = None if self._price is None else estimate_of(self._price, request)
        with self._budget.reserve(agent, expected, model=request.model) as reservation:
            made.append(reservation)
            try:
                completion = await self._client.send(request, reservation.sent, lacking)
            except CallFault as fault:
                if fault.usage.calls:
                    reservation.settle(charged(fault.usage, self._price, request))
                elif fault.free:
                    reservation.settle(Usage(cost_usd=0.0))
                raise
            except FeatureMissing:
                reservation.settle(Usage(cost_usd=0.0))
                raise
            reservation.settle(charged(completion.usage, self._price, request))
            return completion


def _pause(state: RetryCallState) -> float:
    """Seconds until a call that failed is repeated: random and growing, or what the server asks for."""
    fault = state.outcome.exception() if state.outcome is not None else None
    asked = fault.retry_after if isinstance(fault, CallFault) else None
    return max(_GROWING(state), asked or 0.0)
