"""Tables of trust and of results."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from doubleread.agents.wire.budget import Spending
from doubleread.core.trust import Estimate, TrustProfile, trust_version
from doubleread.evals.measures.evaluation import PANEL, ReaderFigures
from doubleread.evals.trust_comparison import Comparison


def profiles_table(title: str, profiles: Sequence[TrustProfile]) -> Table:
    """One row a profile; a tick where the ECE is no larger than chance would make it."""
    return _readers(title, [("  second look" if p.round > 1 else p.agent, p) for p in profiles])


def readers_table(title: str, readers: Sequence[ReaderFigures]) -> Table:
    """The same of readers on unseen cases."""
    return _readers(title, [(one.reader, one) for one in readers])


def _readers(title: str, rows: Sequence[tuple[str, TrustProfile | ReaderFigures]]) -> Table:
    table = Table(
        title=title, title_justify="left", header_style="dim", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("agent", no_wrap=True)
    for name in ("n", "accuracy %", "ECE", "chance", "NLL"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, p in rows:
        table.add_row(
            Text(name, style="bold" if name == PANEL else ""),
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
        "version": p.version,
        "learned_from": p.learned_from,
    }


def trust_table(profiles: Sequence[TrustProfile]) -> Table:
    """What is known of each agent, from cases it was not fitted on; the panel comes last."""
    order = {agent: i for i, agent in enumerate(dict.fromkeys(p.agent for p in profiles if p.agent != "panel"))}
    ranked = sorted(profiles, key=lambda p: (order.get(p.agent, len(order)), p.round))
    version = trust_version(profiles)
    and_outcomes = f" and outcomes (version {version})" if version > 1 else ""
    return profiles_table(f"Trust, learned on calibration cases{and_outcomes}", ranked)


def comparison_table(found: Comparison) -> Table:
    """What each side has, and whether the second is better or worse beyond chance."""
    table = Table(
        title=Text(f"{found.second} against {found.first}, after calibration"),
        title_justify="left",
        header_style="dim",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("agent", no_wrap=True)
    table.add_column("figure", no_wrap=True)
    for side in (found.first, found.second):
        table.add_column(Text(side), justify="right", overflow="fold")
    table.add_column("difference", justify="right", no_wrap=True)
    table.add_column("")
    floors = {(r.reader, r.side): r.floor_high for r in found.reliability}
    reader = ""
    for d in found.differences:
        if reader and reader != d.reader:
            table.add_section()
        values = [_figure(d.figure, value) for value in (d.first, d.second)]
        if d.figure == "ECE":
            sides = zip(values, (found.first, found.second), strict=True)
            values = [f"{value} (chance {floors[d.reader, which]:.3f})" for value, which in sides]
        interval = f"({_figure(d.figure, d.low, sign=True)} to {_figure(d.figure, d.high, sign=True)})"
        change = f"{_figure(d.figure, d.second - d.first, sign=True)} {interval}"
        shown = Text(d.reader if d.reader != reader else "", style="bold" if d.reader == "panel" else "")
        table.add_row(shown, d.figure, *values, change, _MARKS[d.change])
        reader = d.reader
    return table


_MARKS = {
    "better": Text("▲ better", style="green"),
    "worse": Text("▼ worse", style="red"),
    "same": Text("· same", "dim"),
}


def _figure(name: str, value: float, *, sign: bool = False) -> str:
    """Shares in per cent (differences in points), scores with three decimals."""
    plus, unit = ("+", "pt") if sign else ("", "%")
    return f"{value * 100:{plus}.1f} {unit}" if name in ("accuracy", "OCR") else f"{value:{plus}.3f}"


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
