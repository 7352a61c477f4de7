"""Tables of trust and of results."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from doubleread.agents.wire.budget import Spending
from doubleread.core.trust import Estimate, TrustProfile


def profiles_table(title: str, profiles: Sequence[TrustProfile]) -> Table:
    """One row a profile; a tick where the ECE is no larger than chance would make it."""
    table = Table(
        title=title, title_justify="left", header_style="dim", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("agent", no_wrap=True)
    for name in ("n", "accuracy %", "ECE", "chance", "NLL"):
        table.add_column(name, justify="right", no_wrap=True)
    for p in profiles:
        name = "  second look" if p.round > 1 else p.agent
        table.add_row(
            Text(name, style="bold" if p.agent == "panel" else ""),
            str(p.n),
            f"{p.accuracy.value * 100:.1f} ({p.accuracy.low * 100:.1f}–{p.accuracy.high * 100:.1f})",
            f"{p.ece.value:.3f} {'✓' if p.ece.value <= p.ece.floor_high else ' '}",
            f"{p.ece.floor_high:.3f}",
            f"{p.nll.value:.3f} ({p.nll.low:.3f}–{p.nll.high:.3f})",
        )
    return table


def figures(p: TrustProfile) -> dict[str, str | int | float | None]:
    """A profile's figures in a row, by name."""
    return {
        "agent": p.agent,
        "round": p.round,
        "confidence_source": p.confidence_source,
        "n": p.n,
        "abstained": p.abstained,
        "accuracy": p.accuracy.value,
        "accuracy_low": p.accuracy.low,
        "accuracy_high": p.accuracy.high,
        "ece": p.ece.value,
        "ece_floor_95": p.ece.floor_high,
        "classwise_ece": p.classwise_ece,
        "ocr": p.ocr,
        "ocr_threshold": p.ocr_threshold,
        "ccc": p.ccc,
        "brier": p.brier.value,
        "nll": p.nll.value,
        "nll_calibrated": p.calibrated_nll.value if p.calibrated_nll else None,
        "ece_calibrated": p.calibrated_ece.value if p.calibrated_ece else None,
        "learned_from": p.learned_from,
    }


def trust_table(profiles: Sequence[TrustProfile]) -> Table:
    """What is known of each agent, from cases it was not fitted on; the panel comes last."""
    order = {agent: i for i, agent in enumerate(dict.fromkeys(p.agent for p in profiles if p.agent != "panel"))}
    ranked = sorted(profiles, key=lambda p: (order.get(p.agent, len(order)), p.round))
    return profiles_table("Trust, learned on calibration cases", ranked)


def spending_table(spent: Mapping[str, Spending]) -> Table:
    """Calls, answers from the cache, tokens and cost of each agent that asks a model."""
    table = Table(title="Asked of models", title_justify="left", header_style="dim", box=SIMPLE_HEAD, show_edge=False)
    table.add_column("agent", no_wrap=True)
    for name in ("calls", "from cache", "tokens in", "tokens out", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, one in spent.items():
        cost = "unknown: no price" if one.unpriced else f"${one.cost_usd:.4f}"
        table.add_row(
            Text(name), f"{one.calls:,}", f"{one.cached:,}", f"{one.input_tokens:,}", f"{one.output_tokens:,}", cost
        )
    return table


def percent(e: Estimate) -> str:
    """``93.1 % (90.0–95.4)``."""
    return f"{e.value * 100:.1f} % ({e.low * 100:.1f}–{e.high * 100:.1f})"
