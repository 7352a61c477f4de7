"""Budget of a run: costs are reserved before a call, counted when it is sent, and settled after it."""

import math
import threading
from collections import defaultdict
from typing import Self

from doubleread.agents.wire.faults import CallFault
from doubleread.core.base import Record
from doubleread.core.opinion import Usage


class Spending(Record):
    """Usage so far. ``calls`` were sent, ``cached`` were answered without a call."""

    calls: int = 0
    cached: int = 0
    repeated: int = 0
    """Questions asked a second time because the first answer could not be read."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    """Calls of unknown cost, because the model has no price."""

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """Spending of one call or answer."""
        return cls(
            calls=usage.calls,
            repeated=usage.repeated,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=usage.cost_usd or 0.0,
            unpriced=usage.calls if usage.cost_usd is None else 0,
        )

    def __add__(self, more: Self) -> Self:
        return type(self)(**{name: getattr(self, name) + getattr(more, name) for name in type(self).model_fields})


class Reservation:
    """One call and its estimated cost, reserved before anything is sent.

    Once ``sent``, the call stays in the ledger at its estimate, even if it fails or is cancelled. ``settle`` replaces
    the estimate with the reported usage. The reservation of a call that was never sent is released when the block ends.
    """

    def __init__(self, budget: "Budget", agent: str, expected: float | None) -> None:
        self._budget, self.agent, self.expected = budget, agent, expected
        self.usage = Usage()
        """Usage of the call, as far as is known."""

    def sent(self) -> None:
        """Records that the first byte is being sent."""
        self._budget.update(self, Usage(calls=1, cost_usd=self.expected))

    def settle(self, used: Usage) -> None:
        """Records the usage that the server reported."""
        known = used.cost_usd is None or (math.isfinite(used.cost_usd) and used.cost_usd >= 0)
        cost = used.cost_usd if known else self.expected
        self._budget.update(self, used.model_copy(update={"calls": 1, "cost_usd": cost}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.close(self)


class Budget:
    """Limits shared by all agents of a run, and the ledger of each. Thread-safe.

    Invariants under any behaviour of servers, networks and callers:

    - The ledger counts every request of which a first byte was sent: answered, refused, broken off, cancelled, or
      repeated without a feature. If nothing was sent, as without a connection, nothing is counted.
    - A call costs what the server reported if that is plausible, and otherwise its estimate (without a known price:
      nothing, and it is counted as unpriced). Calls that the server rejected (4xx) cost nothing.
    - Sent and reserved calls together never exceed ``max_calls``, nor their estimates ``max_cost_usd``. A server that
      charges more than the estimate can exceed ``max_cost_usd`` by that difference.
    - No count and no cost is negative or NaN.
    """

    def __init__(self, max_cost_usd: float | None = None, max_calls: int | None = None) -> None:
        self._max_cost, self._max_calls = max_cost_usd, max_calls
        self._open: set[Reservation] = set()
        self._ledger: dict[str, Spending] = defaultdict(Spending)
        self._guard = threading.Lock()

    def reserve(self, agent: str, estimate_usd: float | None, *, model: str) -> Reservation:
        """Reserves one call and its estimated cost.

        Raises ``CallFault`` (``budget``) if a limit would be exceeded, or if a cost limit is set and the cost unknown.
        """
        if self._max_cost is not None and estimate_usd is None:
            raise CallFault("budget", f"no price is known for {model}: add [prices.{model!r}], or set no max_cost_usd")
        amount = estimate_usd or 0.0
        with self._guard:
            spent, waiting = self._total(), [one for one in self._open if not one.usage.calls]
            cost = spent.cost_usd + sum(one.expected or 0.0 for one in waiting) + amount
            if self._max_cost is not None and not cost <= self._max_cost:
                said = f"${spent.cost_usd:.4f} of ${self._max_cost:g} is spent, the next call may cost ${amount:.4f}"
                raise CallFault("budget", f"{said}: raise budget.max_cost_usd; what was answered is kept")
            if self._max_calls is not None and spent.calls + len(waiting) >= self._max_calls:
                raise CallFault(
                    "budget", f"{self._max_calls} calls are made: raise budget.max_calls; what was answered is kept"
                )
            reservation = Reservation(self, agent, estimate_usd)
            self._open.add(reservation)
        return reservation

    def update(self, reservation: Reservation, usage: Usage) -> None:
        """Sets the usage of a reserved call so far."""
        with self._guard:
            if reservation in self._open:
                reservation.usage = usage

    def close(self, reservation: Reservation) -> None:
        """Ends a reservation and enters the call in the ledger if it was sent."""
        with self._guard:
            if reservation in self._open:
                self._open.remove(reservation)
                self._ledger[reservation.agent] += Spending.of(reservation.usage)

    def count_cached(self, agent: str) -> None:
        """Counts an answer that needed no call."""
        with self._guard:
            self._ledger[agent] += Spending(cached=1)

    def count_repeated(self, agent: str) -> None:
        """Counts a question that was asked a second time."""
        with self._guard:
            self._ledger[agent] += Spending(repeated=1)

    @property
    def spent(self) -> Spending:
        """Total spending, with calls in progress at their estimate."""
        with self._guard:
            return self._total()

    @property
    def spent_by(self) -> dict[str, Spending]:
        """Spending by agent, with calls in progress at their estimate."""
        with self._guard:
            return self._by_agent()

    def _total(self) -> Spending:
        return sum(self._by_agent().values(), Spending())

    def _by_agent(self) -> dict[str, Spending]:
        found = dict(self._ledger)
        for one in self._open:
            if one.usage.calls:
                found[one.agent] = found.get(one.agent, Spending()) + Spending.of(one.usage)
        return found
