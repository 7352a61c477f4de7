"""``doubleread reproduce paper``."""

import asyncio
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from doubleread.cli.screen import OUT, progress, warn
from doubleread.core.durable import write_text
from doubleread.core.trust import Estimate
from doubleread.evals.reproduction.paper_tables import Row
from doubleread.evals.reproduction.reproduction_report import Reproduction, page, reproduce_paper
from doubleread.panel.fitting import learning_of, policy_of
from doubleread.settings import Settings

SHORT = {
    "accuracy": "accuracy",
    "f1_macro": "F1",
    "mean_confidence": "conf.",
    "mean_seconds": "s",
    "mean_cost": "$",
}


def run_reproduce(data: Path, out: Path, settings: Settings, repeats: int) -> None:
    """Tables on the terminal, a page and JSON in ``out``."""
    learning, policy = learning_of(settings), policy_of(settings)
    with progress() as report:
        found = asyncio.run(reproduce_paper(data, learning=learning, policy=policy, repeats=repeats, progress=report))
    OUT.print(_paper(found))
    if found.matching < len(found.rows):
        warn(f"{len(found.rows) - found.matching} published figures do not come out of this record")
    OUT.print(_ours(found))
    OUT.print(_paired(found))
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "index.html", page(found))
    write_text(out / "reproduction.json", found.model_dump_json(indent=1))
    OUT.print(escape(f"results: {out}  (open {out / 'index.html'})"), soft_wrap=True, highlight=False)


def _paper(found: Reproduction) -> Table:
    """A row for each case and agent: the published figures, ticked where the record gives the same."""
    title = f"Published figures that the record gives again: {found.matching} of {len(found.rows)}"
    table = _table(title, "case", "agent", *(SHORT[figure] for figure in SHORT))
    cells = {(row.case, row.agent, row.figure): row for row in found.rows}
    for case, agent in dict.fromkeys((row.case, row.agent) for row in found.rows):
        rows = (cells.get((case, agent, figure)) for figure in SHORT)
        table.add_row(case, agent, *(_cell(row) for row in rows))
    return table


def _cell(row: Row | None) -> str:
    if row is None:
        return "–"
    return (
        f"{row.published:.4g} ✓" if row.matches else f"[dark_orange]{row.published:.4g} ≠ {row.found:.4g}[/dark_orange]"
    )


def _ours(found: Reproduction) -> Table:
    title = f"The same answers, orchestrated ({found.repeats} × {found.folds}-fold, {found.images} images)"
    table = _table(title, "system", "accuracy %", "NLL", "ECE", "again", "¢")
    for s in found.scores:
        again = f"{s.looked_again:.0%}" if s.looked_again else ""
        cents = f"{s.cost_usd * 100:.3f}" if s.cost_usd else ""
        table.add_row(s.name, _percent(s.accuracy), _short(s.nll), f"{s.ece.value:.3f}", again, cents)
    return table


def _paired(found: Reproduction) -> Table:
    table = _table("doubleread is better by, image by image", "than", "accuracy points", "NLL")
    for d in found.differences:
        table.add_row(d.than, _percent(d.accuracy, sign="+"), _short(d.nll, sign="+"))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", header_style="dim", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0)
    )
    for i, column in enumerate(columns):
        table.add_column(column, no_wrap=True, justify="left" if i == 0 else "right")
    return table


def _percent(e: Estimate, sign: str = "") -> str:
    return f"{e.value * 100:{sign}.1f} ({e.low * 100:{sign}.0f}–{e.high * 100:{sign}.0f})"


def _short(e: Estimate, sign: str = "") -> str:
    return f"{e.value:{sign}.3f} ({e.low:{sign}.3f}–{e.high:{sign}.3f})"
