"""What a run may spend, and what it has spent: reserved before a call, settled after it."""

import threading
from collections import defaultdict
from collections.abc import Callable
from types import TracebackType
from typing import Self

from doubleread.agents.wire.faults import CallFault
from doubleread.core.base import Record
from doubleread.core.opinion import Usage


class Spending(Record):
    """What was used. ``calls`` were sent and answered, ``cached`` were answered without a call."""

    calls: int = 0
    cached: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    """Calls whose cost is unknown, because the model has no price."""


class Reservation:
    """Money and one call set aside; what is not settled goes back. ``close`` is called once, with what was used."""

    def __init__(self, close: Callable[[Usage | None], None]) -> None:
        self._close: Callable[[Usage | None], None] | None = close

    def settle(self, used: Usage | None) -> None:
        """The call was answered, or may have been, and used this; None where it was not."""
        close, self._close = self._close, None
        if close is not None:
            close(used)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.settle(None)


class Budget:
    """Limits shared by all agents of a run, and the ledger of each. Thread-safe."""

    def __init__(self, max_cost_usd: float | None = None, max_calls: int | None = None) -> None:
        self._max_cost, self._max_calls = max_cost_usd, max_calls
        self._reserved_cost, self._reserved_calls = 0.0, 0
        self._ledger: dict[str, Spending] = defaultdict(Spending)
        self._guard = threading.Lock()

    def reserve(self, agent: str, estimate_usd: float | None, *, model: str) -> Reservation:
        """Sets aside one call and its estimated cost.

        Raises ``CallFault`` (``budget``) where they would exceed a limit, or a limit is set and the cost unknown.
        """
        if self._max_cost is not None and estimate_usd is None:
            raise CallFault("budget", f"no price is known for {model}: add [prices.{model!r}], or set no max_cost_usd")
        amount = estimate_usd or 0.0
        with self._guard:
            spent = self._total()
            cost, calls = spent.cost_usd + self._reserved_cost + amount, spent.calls + self._reserved_calls + 1
            if self._max_cost is not None and cost > self._max_cost:
                said = f"${spent.cost_usd:.4f} of ${self._max_cost:g} is spent, the next call may cost ${amount:.4f}"
                raise CallFault("budget", f"{said}: raise budget.max_cost_usd; what was answered is kept")
            if self._max_calls is not None and calls > self._max_calls:
                raise CallFault(
                    "budget", f"{self._max_calls} calls are made: raise budget.max_calls; what was answered is kept"
                )
            self._reserved_cost += amount
            self._reserved_calls += 1
        return Reservation(lambda used: self._close(agent, amount, used))

    def count_cached(self, agent: str) -> None:
        """An answer that needed no call."""
        with self._guard:
            one = self._ledger[agent]
            self._ledger[agent] = one.model_copy(update={"cached": one.cached + 1})

    @property
    def spent(self) -> Spending:
        """In total."""
        with self._guard:
            return self._total()

    @property
    def spent_by(self) -> dict[str, Spending]:
        """By agent."""
        with self._guard:
            return dict(self._ledger)

    def _total(self) -> Spending:
        names = Spending.model_fields
        return Spending(**{name: sum(getattr(one, name) for one in self._ledger.values()) for name in names})

    def _close(self, agent: str, amount: float, used: Usage | None) -> None:
        with self._guard:
            self._reserved_cost -= amount
            self._reserved_calls -= 1
            if used is None:
                return
            one = self._ledger[agent]
            self._ledger[agent] = Spending(
                calls=one.calls + 1,
                cached=one.cached,
                input_tokens=one.input_tokens + used.input_tokens,
                output_tokens=one.output_tokens + used.output_tokens,
                cost_usd=one.cost_usd + (used.cost_usd or 0.0),
                unpriced=one.unpriced + (used.cost_usd is None),
            )
