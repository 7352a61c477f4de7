"""Sends requests with the openai client and turns all of its failures into ``CallFault``.

Exceptions of the client hold key and image, so they are never chained: errors reveal nothing of the request.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2
import openai

from doubleread.agents.wire._receiving import MAX_REPLY, ON_SENDING, BoundedClient, RefusedResponse, ReplyTooLarge
from doubleread.agents.wire.faults import CallFault, harmless
from doubleread.agents.wire.reply import completion_of, error_of, fault_of_status
from doubleread.agents.wire.request import PATHS, Completion, Request, body_of, missing_feature
from doubleread.agents.wire.values import parsed
from doubleread.core.loopback import is_loopback

CONNECT_S = 10.0
NO_KEY = "none"
"""Sent to servers that need no key: the client requires one."""


class FeatureMissing(Exception):
    """The server lacks a feature that the request used; the request without it may succeed."""

    def __init__(self, feature: str) -> None:
        self.feature = feature
        super().__init__(feature)


class ServerClient:
    """Client of one server, for one event loop; never retries and follows no redirect.

    ``timeout_s`` bounds one attempt as a whole; ``receiving.py`` bounds the size of its reply.
    """

    def __init__(self, base_url: str, key: str, *, timeout_s: float) -> None:
        for name in ("openai", "httpx2", "httpcore2"):  # at debug level they log request bodies with images
            logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger(name).level))
        self._secrets, self._timeout_s = (key,), timeout_s
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=key or NO_KEY,
            max_retries=0,
            http_client=BoundedClient(
                timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s), pool=None),  # the pace queues
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
        found = self._read(await self._exchange(request, on_sending, lacking))
        if isinstance(found, CallFault):
            raise found
        return found

    async def close(self) -> None:
        await self._client.close()

    async def _exchange(
        self, request: Request, on_sending: Callable[[], None], lacking: frozenset[str]
    ) -> httpx2.Response:
        before = ON_SENDING.set(on_sending)
        fault: Exception
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(request, lacking)
        except (TimeoutError, openai.APITimeoutError):
            fault = CallFault("timeout", f"no answer within {self._timeout_s:g} s", retryable=True)
        except openai.APIConnectionError as error:
            fault = CallFault("network", _connection(error), retryable=True)
        except ReplyTooLarge:
            fault = CallFault("server", f"the answer is larger than {MAX_REPLY / 1e6:g} MB")
        except RefusedResponse as refused:
            fault = self._refusal(refused.response, request, lacking)
        except Exception as error:  # noqa: BLE001 - any other error means that the call has failed
            fault = CallFault("network", f"no usable answer ({type(error).__name__})", retryable=True)
        finally:
            ON_SENDING.reset(before)
        raise fault  # outside the handlers, so that it does not keep reply or request alive

    async def _post(self, request: Request, lacking: frozenset[str]) -> httpx2.Response:
        # The client's typed methods would copy the body part by part, images included.
        return await self._client.post(PATHS[request.api], cast_to=httpx2.Response, body=body_of(request, lacking))

    def _read(self, response: httpx2.Response) -> Completion | CallFault:
        """Parses an answer; returns a fault as a value, since its traceback would keep the answer in memory."""
        try:
            body = parsed(response.content, response.headers["content-type"])
            return completion_of(body, response.headers.get("x-request-id"), self._secrets)
        except CallFault as fault:
            return fault.with_usage(fault.usage)

    def _refusal(self, response: httpx2.Response, request: Request, lacking: frozenset[str]) -> Exception:
        status = response.status_code
        if 300 <= status < 400:
            redirects = f"HTTP {status}: the server redirects; set base_url to where it leads"
            return CallFault("bad-request", redirects, free=True)
        error = error_of(response.content)
        complaint = f"{error.get('param') or ''} {error.get('message') or ''}"
        if status in (400, 422) and (feature := missing_feature(complaint, request, lacking)):
            return FeatureMissing(feature)
        fault = fault_of_status(status, error, response.headers.get("x-request-id"), self._secrets)
        fault.retry_after = _retry_after(response.headers)
        return fault


def _connection(error: openai.APIConnectionError) -> str:
    cause = error.__cause__
    if isinstance(cause, httpx2.ConnectError):
        return harmless(f"no connection ({cause}): is the server running, and base_url right?")
    return harmless(f"the connection broke ({type(cause).__name__})")


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Returns the seconds to wait from either header (milliseconds, seconds or a date), or None."""
    said, seconds = headers.get("retry-after", ""), math.nan
    with suppress(ValueError, TypeError, IndexError, OverflowError, AttributeError):  # not a date
        seconds = (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
    with suppress(ValueError):
        seconds = float(said)
    if (thousandths := headers.get("retry-after-ms")) is not None:
        with suppress(ValueError):
            seconds = float(thousandths) / 1000
    return max(0.0, seconds) if math.isfinite(seconds) else None
