"""Connects a panel to its servers on one event loop: one client per server, one rate per model, one budget."""

from doubleread.agents.wire._model_client import Check, ModelClient
from doubleread.agents.wire._pace import RateController
from doubleread.agents.wire.addresses import LITELLM
from doubleread.agents.wire.answers import AnswerCache, CallResult
from doubleread.agents.wire.budget import Budget
from doubleread.agents.wire.prices import PriceTable
from doubleread.agents.wire.request import Request
from doubleread.agents.wire.sender import Sender, sender_of
from doubleread.agents.wire.server_options import Server
from doubleread.core.background import Background


class Wire:
    """Owns the thread that sends everything, so that callers from any event loop share clients and limits."""

    def __init__(self, answers: AnswerCache, budget: Budget, prices: PriceTable) -> None:
        self._answers, self.budget, self._prices = answers, budget, prices
        self._background = Background(self._farewell)
        self._clients: dict[tuple[str, str, str, float], Sender] = {}
        self._paces: dict[tuple[str, str, str], RateController] = {}

    async def ask(self, server: Server, agent: str, request: Request, check: Check, *, sample: int = 0) -> CallResult:
        """``ModelClient.ask`` for that server. A cancelled caller cancels the call unless others wait for it."""
        return await self._background.run(lambda: self._client(server).ask(agent, request, check, sample=sample))

    def close(self) -> None:
        """Closes running calls, connections and the thread; calling it again does nothing."""
        self._background.close()
        self._answers.close()

    def _client(self, server: Server) -> ModelClient:
        """Must run on the event loop that owns clients and rate controllers."""
        key = server.key()
        named = server.model if server.base_url == LITELLM else ""
        address = (server.base_url, named, key, server.attempt_timeout_s)
        if address not in self._clients:
            self._clients[address] = sender_of(server)
        pace = self._paces.setdefault(
            (server.base_url, server.key_name, server.model),
            RateController(server.in_flight, server.requests_per_minute, f"{server.model} at {server.base_url}"),
        )
        price = self._prices.of(server)
        return ModelClient(server, self._clients[address], pace, price=price, answers=self._answers, budget=self.budget)

    async def _farewell(self) -> None:
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()
