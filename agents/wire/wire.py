"""All servers of a panel, behind one event loop: one client a server, one pace a model, one budget for all."""

from doubleread.agents.wire.answers import AnswerCache
from doubleread.agents.wire.budget import Budget
from doubleread.agents.wire.client import Door
from doubleread.agents.wire.line import Answered, Check, Line
from doubleread.agents.wire.pace import Pace
from doubleread.agents.wire.prices import PriceTable
from doubleread.agents.wire.request import Request
from doubleread.agents.wire.server_options import Server
from doubleread.core.background import Background


class Wire:
    """Owns the thread on which everything is sent, so that callers from any event loop share clients and limits."""

    def __init__(self, answers: AnswerCache, budget: Budget, prices: PriceTable) -> None:
        self._answers, self.budget, self._prices = answers, budget, prices
        self._background = Background(self._farewell)
        self._doors: dict[tuple[str, str, float], Door] = {}
        self._paces: dict[tuple[str, str, str], Pace] = {}

    async def ask(self, server: Server, agent: str, request: Request, check: Check, *, sample: int = 0) -> Answered:
        """``Line.ask`` of that server; a cancelled caller cancels the call, unless others wait for the same answer."""
        return await self._background.run(lambda: self._line(server).ask(agent, request, check, sample=sample))

    def close(self) -> None:
        """Ends what still runs, every connection and the thread; a second call does nothing."""
        self._background.close()
        self._answers.close()

    def _line(self, server: Server) -> Line:
        """Runs on the loop, where doors and paces belong."""
        key = server.key()
        address = (server.base_url, key, server.attempt_timeout_s)
        if address not in self._doors:
            self._doors[address] = Door(server.base_url, key, timeout_s=server.attempt_timeout_s)
        pace = self._paces.setdefault(
            (server.base_url, server.key_name, server.model),
            Pace(in_flight=server.in_flight, requests_per_minute=server.requests_per_minute),
        )
        price = server.price or self._prices.of(server.model)
        return Line(server, self._doors[address], pace, price=price, answers=self._answers, budget=self.budget)

    async def _farewell(self) -> None:
        doors, self._doors = list(self._doors.values()), {}
        for door in doors:
            await door.close()
