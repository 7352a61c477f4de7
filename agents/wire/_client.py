"""Sends requests with the openai client and turns all of its failures into ``CallFault``.

Exceptions of the client hold key and image, so they are never chained: errors reveal nothing of the request.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

import httpx2
import openai

from doubleread.agents.wire._missing_features import OTHER_SOURCE, FeatureMissing, lacks_address, missing_features
from doubleread.agents.wire._receiving import MAX_REPLY, ON_SENDING, BoundedClient, RefusedResponse, ReplyTooLarge
from doubleread.agents.wire.bodies import NEW_LIMIT, OLD_LIMIT, sent_as
from doubleread.agents.wire.faults import MAX_DETAIL, CallFault, harmless
from doubleread.agents.wire.refusals import error_of, fault_of_status, retry_after
from doubleread.agents.wire.reply import completion_of
from doubleread.agents.wire.request import Completion, Request
from doubleread.agents.wire.values import parsed
from doubleread.core.loopback import is_loopback

CONNECT_S = 5.0
"""Seconds to wait for a connection."""
MAX_MODELS = 2000
"""Names read from a list of models."""
NO_KEY = "none"
"""Sent to servers that need no key: the client requires one."""


class ServerClient:
    """Client of one server, for one event loop; never retries and follows no redirect.

    ``timeout_s`` bounds one attempt as a whole; ``receiving.py`` bounds the size of its reply.
    """

    def __init__(self, base_url: str, key: str, *, timeout_s: float, connect_s: float = CONNECT_S) -> None:
        for name in ("openai", "httpx2", "httpcore2"):  # at debug level they log request bodies with images
            logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger(name).level))
        self._secrets, self._timeout_s = (key,), timeout_s
        self.limit = limit_of(base_url)
        """Name under which the limit of tokens is sent first."""
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=key or NO_KEY,
            max_retries=0,
            http_client=BoundedClient(
                timeout=httpx2.Timeout(timeout_s, connect=min(connect_s, timeout_s), pool=None),  # the pace queues
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
                follow_redirects=False,  # a redirect would send image and key elsewhere
                trust_env=not is_loopback(base_url),  # a proxy would intercept calls to this machine
            ),
        )

    async def send(
        self, request: Request, on_sending: Callable[[], None], lacking: frozenset[str] = frozenset()
    ) -> Completion:
        """Sends the request once; calls ``on_sending`` when the first byte is sent.

        Raises ``CallFault``, or ``FeatureMissing`` if the server rejects a feature.
        """
        # The client's typed methods would copy the body part by part, images included.
        path, body = sent_as(request, lacking, self.limit)
        sending = self._client.post(path, cast_to=httpx2.Response, body=body)
        found = self._read(await self._exchange(sending, on_sending, partial(self._refusal, request, lacking)))
        if isinstance(found, CallFault):
            raise found
        return found

    async def models(self) -> tuple[str, ...]:
        """Returns the names of the models that the server lists, at most ``MAX_MODELS``. Raises ``CallFault``."""
        asking = self._client.get("/models", cast_to=httpx2.Response)
        response = await self._exchange(asking, lambda: None, self._fault_of)
        body = parsed(response.content, response.headers["content-type"])
        listed = body.get("data") if isinstance(body, dict) else None
        rows = listed[:MAX_MODELS] if isinstance(listed, list) else []
        names = [one.get("id") for one in rows if isinstance(one, dict)]
        return tuple(harmless(name, self._secrets) for name in names if isinstance(name, str))

    async def close(self) -> None:
        await self._client.close()

    async def _exchange(
        self,
        sending: Awaitable[httpx2.Response],
        on_sending: Callable[[], None],
        refusal: Callable[[httpx2.Response], Exception],
    ) -> httpx2.Response:
        """Returns the answer; raises ``CallFault``, or what ``refusal`` makes of a response that is not 2xx."""
        before = ON_SENDING.set(on_sending)
        fault: Exception
        try:
            async with asyncio.timeout(self._timeout_s):
                return await sending
        except (TimeoutError, openai.APITimeoutError) as error:
            fault = CallFault("timeout", f"no answer within {self._timeout_s:g} s", step="repeat")
            if isinstance(error.__cause__, httpx2.ConnectTimeout):
                fault = CallFault("network", _connection(error), step="repeat")
        except openai.APIConnectionError as error:
            fault = CallFault("network", _connection(error), step="repeat")
        except ReplyTooLarge:
            fault = CallFault("server", f"the answer is larger than {MAX_REPLY / 1e6:g} MB")
        except RefusedResponse as refused:
            fault = refusal(refused.response)
        except Exception as error:  # noqa: BLE001 - any other error means that the call has failed
            fault = CallFault("network", f"no usable answer ({type(error).__name__})", step="repeat")
        finally:
            ON_SENDING.reset(before)
        raise fault  # outside the handlers, so that it does not keep reply or request alive

    def _read(self, response: httpx2.Response) -> Completion | CallFault:
        """Parses an answer; returns a fault as a value, since its traceback would keep the answer in memory."""
        try:
            body = parsed(response.content, response.headers["content-type"])
            return completion_of(body, response.headers.get("x-request-id"), self._secrets)
        except CallFault as fault:
            return fault.with_usage(fault.usage)

    def _refusal(self, request: Request, lacking: frozenset[str], response: httpx2.Response) -> Exception:
        fault, error = self._fault_of(response), error_of(response.content)
        if request.api == "decisions" and lacking and lacks_address(response.status_code, error):
            where = "the server has neither /decisions nor /systemone"
            return CallFault("unsupported", f"{where}: {OTHER_SOURCE} ({fault.detail})"[:MAX_DETAIL], free=True)
        missing = missing_features(response.status_code, error, request, lacking, self.limit)
        return FeatureMissing(missing, fault) if missing else fault

    def _fault_of(self, response: httpx2.Response) -> CallFault:
        status, error = response.status_code, error_of(response.content)
        if 300 <= status < 400:
            redirects = f"HTTP {status}: the server redirects; set base_url to where it leads"
            return CallFault("bad-request", redirects, free=True)
        fault = fault_of_status(status, error, response.headers.get("x-request-id"), self._secrets)
        fault.retry_after = retry_after(response.headers, error)
        return fault


def limit_of(base_url: str) -> str:
    """Returns the name of the limit of tokens that a server is sent first, as ``bodies.NEW_LIMIT`` explains."""
    host = httpx2.URL(base_url).host
    return NEW_LIMIT if host == "api.openai.com" or host.endswith(".azure.com") else OLD_LIMIT


def _connection(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, httpx2.ConnectTimeout):
        return "no connection in time: is the server running, and base_url right?"
    if isinstance(cause, httpx2.ConnectError):
        return harmless(f"no connection ({cause}): is the server running, and base_url right?")
    return harmless(f"the connection broke ({type(cause).__name__})")
