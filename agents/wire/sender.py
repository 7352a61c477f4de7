"""What sends requests: the client of a server, or LiteLLM's client of a provider."""

from collections.abc import Callable
from typing import Protocol

from doubleread.agents.wire._client import CONNECT_S, ServerClient
from doubleread.agents.wire._litellm_client import LiteLLMClient
from doubleread.agents.wire.addresses import LITELLM
from doubleread.agents.wire.request import Completion, Request
from doubleread.agents.wire.server_options import Server


class Sender(Protocol):
    """Sends requests to one server, for one event loop; never repeats one."""

    limit: str
    """Name under which the limit of tokens is sent first."""

    async def send(
        self, request: Request, on_sending: Callable[[], None], lacking: frozenset[str] = frozenset()
    ) -> Completion:
        """Sends the request once; calls ``on_sending`` when the first byte is sent.

        Raises ``CallFault``, or ``FeatureMissing`` if the server rejects a feature.
        """
        ...

    async def models(self) -> tuple[str, ...]:
        """Returns the names of the models that the server lists. Raises ``CallFault``."""
        ...

    async def close(self) -> None:
        """Closes all connections."""
        ...


def sender_of(server: Server, *, timeout_s: float | None = None, connect_s: float = CONNECT_S) -> Sender:
    """Returns what sends to a server; ``timeout_s`` bounds one attempt as a whole, else its ``attempt_timeout_s``."""
    timeout_s = server.attempt_timeout_s if timeout_s is None else timeout_s
    if server.base_url == LITELLM:
        return LiteLLMClient(server.model, server.key(), timeout_s=timeout_s)
    return ServerClient(server.base_url, server.key(), timeout_s=timeout_s, connect_s=connect_s)
