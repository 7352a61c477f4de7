"""``doubleread sweep``: evaluates other panels, rules, policies and costs from recorded answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from doubleread.cli.screen import OUT, note, progress, tell_json, words_line
from doubleread.cli.tables import csv_text, titled_table
from doubleread.core.durable import write_text
from doubleread.core.errors import DataError
from doubleread.core.trust import Estimate
from doubleread.evals.sweep import Pick, RecordedAnswers, Sweep, UnseenCases, VariantScore, sweep, variants_of
from doubleread.evals.sweep.sweep_figures import sweep_figures
from doubleread.evals.sweep.sweep_output import draw_sweep, flat
from doubleread.orchestrator.metrics.metric import Display
from doubleread.panel.panel_folder import read_panel


def run_sweep(
    panel: Path,
    run: Path | None,
    vary: Sequence[str],
    usd: Sequence[str],
    *,
    as_json: bool,
    draw: Path | None,
    out: Path | None,
) -> None:
    """Replays every combination of the options and shows the results."""
    if out is not None and out.suffix != ".csv":
        raise DataError(f"cannot write {out}: the name must end in .csv")
    recorded = RecordedAnswers.of(read_panel(panel, None), _prices(usd))
    variants = variants_of(recorded.first, vary, recorded.referees)
    unseen = None if run is None else UnseenCases.of(run, recorded)
    with progress() as report:
        found = sweep(recorded, variants, unseen, progress=report)
    if as_json:
        tell_json(found.model_dump_json(indent=1))
    else:
        _show(found)
    for path, text in ((draw, draw_sweep), (out, lambda found: csv_text(list(flat(found))))):
        if path is not None:
            write_text(path, text(found))
            note(f"{path}")


def _show(found: Sweep) -> None:
    if found.pick is not None:
        OUT.print(_picked(found.pick), highlight=False)
        OUT.print()
    note(f"{found.n:,} cases in {found.groups:,} groups, {found.learned_from}")
    OUT.print(_key(found))
    OUT.print(_figures_table(found))
    if len(found.judged) > 1:
        OUT.print(_changes_table(found))
    for text in found.notes:
        note(text)
    words_line(("groups", *(one.title for one in sweep_figures().values())))


def _key(found: Sweep) -> Table:
    """Names each variant, with how often it decides differently from the first."""
    table = titled_table("Variants", "", left=0)
    table.add_column("", overflow="fold")
    for words in ("other decisions", "p (cost)"):
        table.add_column(words, justify="right", no_wrap=True)
    for place, one in enumerate(found.judged):
        changed = f"{one.decided_otherwise:,}" if place else ""
        table.add_row(str(place), Text(one.name, "" if place else "bold"), changed, _chance(one) if place else "")
    return table


def _figures_table(found: Sweep) -> Table:
    """A row per variant, intervals below the estimates; costs in dollars only where answers were paid for."""
    paid = any(one.figures["usd"].value for one in found.judged)
    shown = [one for one in sweep_figures().values() if one.heading and (paid or one.name != "usd")]
    title = "On cases not used for fitting (95 % intervals over whole groups)"
    table = titled_table(title, "", *(one.heading for one in shown), left=0)
    for place, one in enumerate(found.judged):
        table.add_row(str(place), *(_cell(figure.display, one.figures[figure.name]) for figure in shown))
    return table


def _changes_table(found: Sweep) -> Table:
    """Compares each variant with the first, on the same cases."""
    shown = [one for one in sweep_figures().values() if one.change]
    table = titled_table("Difference from variant 0, on the same cases", "", *(one.change for one in shown), left=0)
    for place, one in enumerate(found.judged[1:], start=1):
        table.add_row(str(place), *(_change(figure.display, one.difference.get(figure.name)) for figure in shown))
    return table


def _cell(display: Display, e: Estimate) -> Text:
    return Text.assemble(display.number(e.value), "\n", (display.interval(e), "dim"))


def _change(display: Display, e: Estimate | None) -> Text:
    if e is None:
        return Text("–", "dim")
    return Text.assemble(display.number(e.value, "+"), (f" {display.interval(e, '…', '+')}", "dim"))


def _chance(one: VariantScore) -> str:
    return "–" if one.p is None else f"{one.p:.3f}" if one.p >= 0.001 else "<0.001"


def _picked(pick: Pick) -> str:
    """Says which variant is cheapest, and that the best of many looks better than it is."""
    cost, change = pick.cost, pick.difference
    return (
        f"The cheapest of {pick.variants} variants is {pick.best}, at {pick.best_cost:.4f} per case. It probably costs "
        "more, because it was chosen on the same cases: if the variant is chosen on other cases, the cost is "
        f"{cost.value:.4f} ({cost.low:.4f}–{cost.high:.4f}), that is {change.value:+.4f} "
        f"({change.low:+.4f}…{change.high:+.4f}) compared with variant 0. The p values allow for the number of "
        "variants (Holm)."
    )


def _prices(usd: Sequence[str]) -> Mapping[str, float]:
    found = {}
    for words in usd:
        name, _, price = words.partition("=")
        try:
            found[name] = float(price)
        except ValueError:
            raise DataError(f"--usd {words} is not a price: write NAME=PRICE, as in --usd gpt=0.002") from None
        if not found[name] >= 0:
            raise DataError(f"--usd {words} is not valid: a price must be 0 or more")
    return found
