"""The one door to servers: the openai client, and every one of its failures turned into a ``CallFault``.

Nothing of the request leaves through an error: exceptions of the client hold key and image, so they are never chained.
"""

import asyncio
import json
import logging
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import openai

from doubleread.agents.wire.faults import CallFault, harmless
from doubleread.agents.wire.features import missing_feature
from doubleread.agents.wire.loopback import is_loopback
from doubleread.agents.wire.protocol import PATHS, body_of, completion_of, fault_of_status
from doubleread.agents.wire.request import Completion, Request

CONNECT_S = 10.0
NO_KEY = "none"
"""What is sent where a server needs no key: the client insists on one."""


class FeatureMissing(Exception):
    """The server lacks a feature that the question used; the same question without it may be answered."""

    def __init__(self, feature: str) -> None:
        self.feature = feature
        super().__init__(feature)


class Door:
    """One client of one server, for one event loop; it never retries and follows no redirect.

    ``timeout_s`` bounds one attempt as a whole, whatever trickles in.
    """

    def __init__(self, base_url: str, key: str, *, timeout_s: float) -> None:
        for name in ("openai", "httpx2", "httpcore2"):  # at debug level they would log request bodies, images included
            logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger(name).level))
        self._key, self._timeout_s = key, timeout_s
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=key or NO_KEY,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpx2Client(
                timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s), pool=None),  # the pace queues
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
                follow_redirects=False,  # a redirect would carry image and key elsewhere
                trust_env=not is_loopback(base_url),  # a proxy would swallow calls to this machine
            ),
        )

    async def send(self, request: Request, lacking: frozenset[str] = frozenset()) -> Completion:
        """Asks once. Raises ``CallFault``, or ``FeatureMissing`` where the server rejects a feature."""
        try:
            async with asyncio.timeout(self._timeout_s):
                raw = await self._post(request, lacking)
                content = raw.content
        except (TimeoutError, openai.APITimeoutError):
            raise CallFault("timeout", f"no answer within {self._timeout_s:g} s", retryable=True) from None
        except openai.APIConnectionError as error:
            raise CallFault("network", _connection(error), retryable=True) from None
        except openai.APIStatusError as error:
            raise self._status(error, request, lacking) from None
        except (openai.OpenAIError, httpx2.HTTPError, ValueError, TypeError) as error:
            raise CallFault("network", f"no usable answer ({type(error).__name__})", retryable=True) from None
        return completion_of(_json(content, raw.headers), raw.headers.get("x-request-id"))

    async def close(self) -> None:
        await self._client.close()

    async def _post(self, request: Request, lacking: frozenset[str]) -> httpx2.Response:
        # Not by the client's typed methods: they would copy the body part by part, images included.
        return await self._client.post(PATHS[request.api], cast_to=httpx2.Response, body=body_of(request, lacking))

    def _status(self, error: openai.APIStatusError, request: Request, lacking: frozenset[str]) -> Exception:
        headers, status = error.response.headers, error.status_code
        if 300 <= status < 400:
            return CallFault("bad-request", f"HTTP {status}: the server redirects; set base_url to where it leads")
        details = error.body if isinstance(error.body, dict) else {"message": error.message}
        complaint = f"{details.get('param') or ''} {details.get('message') or ''}"
        if status in (400, 422) and (feature := missing_feature(complaint, request, lacking)):
            return FeatureMissing(feature)
        fault = fault_of_status(status, details, error.request_id, [self._key])
        fault.retry_after = _retry_after(headers)
        return fault


def _connection(error: openai.APIConnectionError) -> str:
    cause = error.__cause__
    if isinstance(cause, httpx2.ConnectError):
        return harmless(f"no connection ({cause}): is the server running, and base_url right?")
    return harmless(f"the connection broke ({type(cause).__name__})")


def _json(content: bytes, headers: httpx2.Headers) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        kind = headers.get("content-type", "no content type")
        raise CallFault("server", f"the answer is not JSON ({harmless(kind)})", retryable=True) from None


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds to wait, from whichever header says so: milliseconds, seconds, or a date."""
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            return max(0.0, float(milliseconds) / 1000)
        value = headers.get("retry-after")
        return None if value is None else max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None
