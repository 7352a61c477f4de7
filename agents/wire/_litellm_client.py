"""Sends requests with LiteLLM, to providers that do not speak the OpenAI protocol.

Exceptions of LiteLLM hold key and image, so they are never chained. Its price list, its ``.env`` files and its hints on
the screen are switched off; it repeats nothing. LiteLLM does not bound the size of a reply.
"""

import asyncio
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable
from typing import Any

from doubleread.agents.wire._missing_features import OTHER_SOURCE, FeatureMissing, missing_features
from doubleread.agents.wire.bodies import CHAT, OLD_LIMIT, chat_body
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.refusals import error_in, fault_of_status, retry_after, status_of
from doubleread.agents.wire.reply import completion_of
from doubleread.agents.wire.request import Completion, Request

INSTALL = "pip install 'doubleread[litellm]'"
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_PREFIX = re.compile(r"^litellm\.\w+: (\w+Error: )?")


class LiteLLMClient:
    """Client of one model; LiteLLM takes the provider from its name, as in ``anthropic/claude-sonnet-4-5``."""

    limit = OLD_LIMIT

    def __init__(self, model: str, key: str, *, timeout_s: float) -> None:
        self._model, self._key, self._timeout_s = model, key, timeout_s

    async def send(
        self, request: Request, on_sending: Callable[[], None], lacking: frozenset[str] = frozenset()
    ) -> Completion:
        if request.api != "chat":
            raise CallFault("unsupported", f"LiteLLM asks chat models only: {OTHER_SOURCE}")
        vendor = await asyncio.to_thread(_vendor)
        failed: Exception
        body = chat_body(request, lacking, self.limit)
        on_sending()
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await vendor.acompletion(
                    **body, api_key=self._key or None, timeout=self._timeout_s, num_retries=0, max_retries=0
                )
            return completion_of(answer.model_dump(), None, self._secrets())
        except CallFault as fault:
            failed = fault.with_usage(fault.usage)
        except TimeoutError:
            failed = CallFault("timeout", f"no answer within {self._timeout_s:g} s", step="repeat")
        except Exception as error:  # noqa: BLE001 - LiteLLM raises errors of its own and of each vendor
            failed = self._failed(error, request, lacking)
        raise failed  # outside the handlers, so that it does not keep reply or request alive

    async def models(self) -> tuple[str, ...]:
        """Returns nothing: providers are not asked. Raises ``CallFault`` if what they need is not set."""
        vendor = await asyncio.to_thread(_vendor)
        missing = [] if self._key else vendor.validate_environment(self._model)["missing_keys"]
        if missing:
            names = ", ".join(missing)
            raise CallFault("authentication", f"LiteLLM finds no {names} in the environment variables")
        return ()

    async def close(self) -> None:
        if (vendor := sys.modules.get("litellm")) is not None:
            await vendor.close_litellm_async_clients()

    def _failed(self, error: Exception, request: Request, lacking: frozenset[str]) -> Exception:
        said = error_in(_PREFIX.sub("", str(error)))
        status = status_of(getattr(error, "status_code", None), 0)
        if not status:
            return CallFault("network", f"no usable answer ({type(error).__name__})", step="repeat")
        fault = fault_of_status(status, said, None, self._secrets())
        fault.retry_after = retry_after(getattr(getattr(error, "response", None), "headers", None) or {}, said)
        missing = missing_features(status, said, request, lacking, self.limit) - {CHAT}
        return FeatureMissing(missing, fault) if missing else fault

    def _secrets(self) -> tuple[str, ...]:
        """The key, and all that LiteLLM may have taken as one from the environment."""
        return self._key, *(value for name, value in os.environ.items() if _SECRET.search(name))


def _vendor() -> Any:
    """LiteLLM, set up to send nothing but questions. Raises ``CallFault`` if it is not installed."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it fetches a list of prices
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")  # else it reads `.env` of the current folder
    warnings.filterwarnings("ignore", r"Items? .* on TypedDict class", UserWarning)  # of its own types
    try:
        import litellm  # noqa: PLC0415 - takes seconds to load
    except ImportError:
        raise CallFault("unsupported", f"LiteLLM is not installed: {INSTALL}") from None
    litellm.suppress_debug_info = True
    for name in ("LiteLLM", "httpx", "httpcore"):  # at debug level they log request bodies with images
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger(name).level))
    return litellm
