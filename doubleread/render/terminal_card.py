"""Verdict cards for a terminal: a first screen, and its details."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from rich.box import ROUNDED, SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel as Box
from rich.table import Table
from rich.text import Text

from doubleread.core import verdict_wording as words
from doubleread.core.opinion import Opinion
from doubleread.core.terminal_text import tamed
from doubleread.core.verdict import Verdict

BAR = 24
BARS = 5
"""Labels with a bar on the first screen."""
COMMIT, REFER = "bold green", "bold dark_orange"


def verdict_card(verdict: Verdict) -> RenderableType:
    """Returns the first screen: the verdict, how sure it is, why, and what to do. Control characters are removed.

    After an alarm, no probability is shown, neither of the panel nor of an agent.
    """
    verdict = _harmless(verdict)
    commits = verdict.decision.action == "commit"
    return Box(
        Group(*_first_screen(verdict)),
        box=ROUNDED,
        title=Text(words.title(verdict), style="bold"),
        title_align="left",
        border_style="green" if commits else "dark_orange",
        padding=(0, 1),
    )


def verdict_details(verdict: Verdict, besides: Collection[str] = ()) -> RenderableType:
    """Returns everything that the first screen leaves out: each agent's figures, the set, records, reasons and cost.

    Lines that are shown ``besides`` it are left out.
    """
    verdict = _harmless(verdict)
    table = [_images(verdict)] if verdict.images > 1 else [_opinions(verdict)] if verdict.opinions else []
    return Group(*table, *_all_bars(verdict), *(line for line in _lines(verdict) if line.plain not in besides))


def _harmless(verdict: Verdict) -> Verdict:
    return Verdict.model_validate(tamed(verdict.model_dump(mode="json")))


# -- the first screen -------------------------------------------------------------------------------------------------


def _first_screen(verdict: Verdict) -> Iterator[RenderableType]:
    commits = verdict.decision.action == "commit"
    yield Text(f"{'✓' if commits else '⚑'} {words.headline(verdict)}", COMMIT if commits else REFER)
    if track := words.track_line(verdict):
        yield Padding(Text(track), (0, 0, 0, 2))
    if verdict.posterior:
        before = verdict.second_look.before if verdict.second_look else {}
        yield Text()
        yield share_bars(dict(_likeliest(verdict)), before)
        if (more := len(verdict.posterior) - BARS) > 0:
            rest = sum(verdict.posterior.values()) - sum(p for _, p in _likeliest(verdict))
            yield Text(f"{more} more label{'' if more == 1 else 's'}, together {rest:.1%}", "dim")
        yield Text()
    for name, line in (
        ("Why", words.why_line(verdict)),
        ("Second look", words.look_line(verdict)),
        ("What to do", words.todo_line(verdict)),
    ):
        if line:
            yield Text.assemble((f"{name}: ", "bold"), f"{line}.")
    for line in words.alerts(verdict):
        yield Text(f"! {line}", style="dark_orange")
    if spared := words.spared_line(verdict):
        yield Text(spared, style="dim")


def _likeliest(verdict: Verdict) -> list[tuple[str, float]]:
    return sorted(verdict.posterior.items(), key=lambda item: -item[1])[:BARS]


def share_bars(shares: Mapping[str, float], before: Mapping[str, float]) -> RenderableType:
    """Returns a bar for each label, most likely first, with its earlier share."""
    table = Table.grid(padding=(0, 2))
    for label, p in sorted(shares.items(), key=lambda item: -item[1]):
        filled = round(p * BAR)
        bar = Text("█" * filled, style="cyan") + Text("·" * (BAR - filled), style="dim")
        was = f"was {before[label]:.1%}" if label in before else ""
        table.add_row(Text(label), bar, Text(f"{p:6.1%}", style="bold"), Text(was, "dim"))
    return table


# -- the details ------------------------------------------------------------------------------------------------------


def _opinions(verdict: Verdict) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), header_style="dim", show_edge=False)
    table.add_column("agent", no_wrap=True)
    table.add_column("says")
    figures = () if verdict.unfamiliar else ("uncalibrated", "calibrated", "influence")
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    for name, opinion in verdict.last_opinions.items():
        shown = _figures(verdict, opinion) if figures else ()
        table.add_row(Text(name), _said(verdict, opinion), *shown)
    for abstention in verdict.silent:
        table.add_row(Text(abstention.agent), Text("no answer", "dim"), *("–" for _ in figures))
    return table


def _images(verdict: Verdict) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), header_style="dim", show_edge=False)
    for name, justify in (("image", "left"), ("says", "left"), ("sure", "right"), ("alone", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # rich's literals
    for shot in verdict.shots:
        style = "" if shot.label == verdict.label else "dark_orange"
        sure = f"{shot.confidence:.1%}" if shot.posterior else "does not count"
        table.add_row(Text(words.image_name(shot)), Text(shot.label or "no answer", style), sure, shot.decision.action)
    for one in verdict.unread:
        table.add_row(Text(Path(one.source).name), Text("could not be read", "dim"), "does not count", "")
    return table


def _figures(verdict: Verdict, opinion: Opinion) -> tuple[str, str, str]:
    """Returns the agent's confidence in its label, before and after calibration, and its influence on the verdict."""
    calibrated = verdict.calibrated.get(opinion.agent, {}).get(opinion.label)
    influence = verdict.influence.get(opinion.agent)
    return (
        f"{opinion.confidence:.1%}",
        "–" if calibrated is None else f"{calibrated:.1%}",
        "–" if influence is None else words.in_points(influence),
    )


def _said(verdict: Verdict, opinion: Opinion) -> Text:
    changes = verdict.second_look.changes if verdict.second_look else ()
    before = next((c.before for c in changes if c.agent == opinion.agent and c.moved), None)
    style = "" if opinion.label == verdict.label else "dark_orange"
    return Text(f"{before} → {opinion.label}" if before else opinion.label, style=style)


def _all_bars(verdict: Verdict) -> Iterator[RenderableType]:
    if len(verdict.posterior) > BARS:
        before = verdict.second_look.before if verdict.second_look else {}
        yield share_bars(verdict.posterior, before)


def _lines(verdict: Verdict) -> Iterator[Text]:
    yield from (Text(line) for line in (words.fitting_labels(verdict),) if line)
    yield from (_line("track record", line) for line in (words.record_line(verdict),) if line)
    if verdict.evidence and verdict.evidence.neighbours:
        shown = "  ".join(f"{n.label} {n.similarity:.2f}" for n in verdict.evidence.neighbours[:6])
        yield _line("similar cases (similarity)", shown)
    if verdict.second_look and not verdict.unfamiliar:
        yield _line("second look, because", "; ".join(verdict.second_look.reasons))
    yield _line("decision", "; ".join(verdict.decision.reasons))
    for opinion in verdict.last_opinions.values():
        if opinion.reason:
            yield _line(f"reason given by {opinion.agent}", opinion.reason)
    cost = f" · ${verdict.cost_usd:.4f}" if verdict.cost_usd else ""
    yield Text(f"{verdict.seconds:.2f} s{cost} · case {verdict.case.id[:12]}", style="dim")


def _line(name: str, text: str) -> Text:
    return Text.assemble((f"{name}: ", "dim"), text)
