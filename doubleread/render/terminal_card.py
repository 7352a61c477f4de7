"""Verdict cards for a terminal."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from rich.box import ROUNDED, SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel as Box
from rich.table import Table
from rich.text import Text

from doubleread.core.opinion import Opinion
from doubleread.core.terminal_text import tamed
from doubleread.core.verdict import Verdict
from doubleread.core.verdict_wording import NOT_SURE, fitting_labels, in_points, looks_like, other_warnings

BAR = 24
COMMIT, REFER = "bold green", "bold dark_orange"


def verdict_card(verdict: Verdict) -> RenderableType:
    """Shows decision, label, probabilities, panel, evidence and reasons, without control characters.

    After an alarm, no probability is shown, neither of the panel nor of an agent.
    """
    verdict = Verdict.model_validate(tamed(verdict.model_dump(mode="json")))
    parts: list[RenderableType] = [_headline(verdict)]
    if verdict.posterior:
        before = verdict.second_look.before if verdict.second_look else {}
        bars = share_bars(verdict.posterior, before, verdict.prediction_set)
        parts += [Text(), bars]
    if verdict.opinions:
        parts += [Text(), _opinions(verdict)]
    parts += list(_lines(verdict))
    return Box(
        Group(*parts),
        box=ROUNDED,
        title=Text(Path(verdict.case.source).name or verdict.case.id[:12], style="bold"),
        title_align="left",
        border_style="green" if verdict.decision.action == "commit" else "dark_orange",
        padding=(0, 1),
    )


def _headline(verdict: Verdict) -> Text:
    if verdict.unfamiliar:
        told = f"it {looks_like(verdict)}; no probability or track record applies"
        return Text.assemble((f"⚑ {NOT_SURE} – refer it to a person", REFER), f"\n{told}")
    if verdict.decision.action == "commit":
        text = Text.assemble(("✓ committed  ", COMMIT), (str(verdict.decision.label), "bold"))
    else:
        leading = f"  leaning to {verdict.label}" if verdict.label else ""
        text = Text.assemble(("⚑ refer to a person", REFER), leading)
    if verdict.posterior:
        text.append(f"  {verdict.posterior[verdict.decision.label or str(verdict.label)]:.1%}", style="bold cyan")
        text.append("  calibrated", style="dim")
    return text


def share_bars(
    shares: Mapping[str, float], before: Mapping[str, float], marked: Collection[str] = frozenset()
) -> RenderableType:
    """Returns a bar for each label, most likely first, with its earlier share; ``marked`` labels are in the set."""
    table = Table.grid(padding=(0, 2))
    for label, p in sorted(shares.items(), key=lambda item: -item[1]):
        filled = round(p * BAR)
        bar = Text("█" * filled, style="cyan") + Text("·" * (BAR - filled), style="dim")
        was = f"was {before[label]:.1%}" if label in before else ""
        in_set = "in set" if label in marked else ""
        table.add_row(Text(label), bar, Text(f"{p:6.1%}", style="bold"), Text(in_set, "dim"), Text(was, "dim"))
    return table


def _opinions(verdict: Verdict) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), header_style="dim", show_edge=False)
    table.add_column("agent", no_wrap=True)
    table.add_column("says")
    figures = () if verdict.unfamiliar else ("stated", "calibrated", "influence")
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    for name, opinion in verdict.last_opinions.items():
        shown = _figures(verdict, opinion) if figures else ()
        table.add_row(Text(name), _said(verdict, opinion), *shown)
    for abstention in verdict.silent:
        table.add_row(Text(abstention.agent), Text("abstains", "dim"), *("–" for _ in figures))
    return table


def _figures(verdict: Verdict, opinion: Opinion) -> tuple[str, str, str]:
    """Returns the agent's confidence in its label, as stated and calibrated, and its influence on the verdict."""
    calibrated = verdict.calibrated.get(opinion.agent, {}).get(opinion.label)
    influence = verdict.influence.get(opinion.agent)
    return (
        f"{opinion.confidence:.1%}",
        "–" if calibrated is None else f"{calibrated:.1%}",
        "–" if influence is None else in_points(influence),
    )


def _said(verdict: Verdict, opinion: Opinion) -> Text:
    changes = verdict.second_look.changes if verdict.second_look else ()
    before = next((c.before for c in changes if c.agent == opinion.agent and c.moved), None)
    style = "" if opinion.label == verdict.label else "dark_orange"
    return Text(f"{before} → {opinion.label}" if before else opinion.label, style=style)


def _lines(verdict: Verdict) -> Iterator[Text]:
    yield from _promises(verdict)
    if verdict.evidence and verdict.evidence.neighbours:
        shown = "  ".join(f"{n.label} {n.similarity:.2f}" for n in verdict.evidence.neighbours[:6])
        yield _line("similar cases", shown)
    if verdict.second_look and not verdict.unfamiliar:
        yield _line("second look", "; ".join(verdict.second_look.reasons))
    yield _line("decision", "; ".join(verdict.decision.reasons))
    for opinion in verdict.last_opinions.values():
        if opinion.reason:
            yield _line(opinion.agent, opinion.reason)
    for abstention in verdict.silent:
        yield _line(abstention.agent, abstention.detail or abstention.cause)
    if verdict.spared:
        yield _line("not asked", f"{', '.join(verdict.spared)} (worth less here than they cost)")
    for warning in other_warnings(verdict):
        yield Text(f"! {warning}", style="dark_orange")
    cost = f" · ${verdict.cost_usd:.4f}" if verdict.cost_usd else ""
    yield Text(f"{verdict.seconds:.2f} s{cost} · case {verdict.case.id[:12]}", style="dim")


def _promises(verdict: Verdict) -> Iterator[Text]:
    if told := fitting_labels(verdict):
        yield Text(told) if verdict.prediction_set else Text(f"! {told}", style="dark_orange")
    if verdict.track:
        t = verdict.track
        seen = f"of {t.n} held-out cases with a similar score {t.right} were right ({t.low:.0%}–{t.high:.0%})"
        yield _line("track record", seen)


def _line(name: str, text: str) -> Text:
    return Text.assemble((f"{name}: ", "dim"), text)
