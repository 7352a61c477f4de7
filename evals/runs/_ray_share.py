"""What each worker of a run may spend, and how fast it may ask models."""

from collections.abc import Mapping
from typing import TypeVar

from doubleread.agents.wire.server_options import Server
from doubleread.core.errors import RunError
from doubleread.settings import Settings

Asked = TypeVar("Asked", bound=Server)


def share(settings: Settings, workers: int) -> Settings:
    """What one of so many workers may spend, and how fast it may ask models."""
    budget = settings.budget
    if budget.max_calls is not None and budget.max_calls < workers:
        raise RunError(
            f"{budget.max_calls} calls (budget.max_calls) are too few for {workers} workers (ray.workers); each "
            "needs at least one"
        )
    part = {
        "max_cost_usd": budget.max_cost_usd and budget.max_cost_usd / workers,
        "max_calls": budget.max_calls and budget.max_calls // workers,
    }
    return settings.model_copy(
        update={
            "budget": budget.model_copy(update=part),
            "vlm": _slower(settings.vlm, workers),
            "reasoner": _slower(settings.reasoner, workers),
        }
    )


def left_of(settings: Settings, cost_usd: float, calls: int) -> Settings:
    """What is left of a worker's share; of one that is spent, next to nothing and one call."""
    budget = settings.budget
    left = {
        "max_cost_usd": budget.max_cost_usd and max(budget.max_cost_usd - cost_usd, 1e-9),
        "max_calls": budget.max_calls and max(budget.max_calls - calls, 1),
    }
    return settings.model_copy(update={"budget": budget.model_copy(update=left)})


def _slower(servers: Mapping[str, Asked], workers: int) -> dict[str, Asked]:
    return {
        name: server.model_copy(
            update={
                "in_flight": max(server.in_flight // workers, 1),
                "requests_per_minute": server.requests_per_minute and server.requests_per_minute / workers,
            }
        )
        for name, server in servers.items()
    }
