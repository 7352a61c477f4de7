"""``doubleread reproduce paper``."""

import asyncio
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from doubleread.cli.screen import OUT, progress
from doubleread.cli.tables import titled_table
from doubleread.core.durable import write_text
from doubleread.core.notices import warn_user
from doubleread.core.trust import Estimate
from doubleread.evals.reproduction.paper_tables import PublishedFigure
from doubleread.evals.reproduction.reproduction_report import Reproduction, page, reproduce_paper
from doubleread.orchestrator.metrics.case_metrics import ACCURACY, NLL
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
    """Prints tables, and writes a page and JSON to ``out``."""
    learning, policy = learning_of(settings), policy_of(settings)
    with progress() as report:
        found = asyncio.run(reproduce_paper(data, learning=learning, policy=policy, repeats=repeats, progress=report))
    OUT.print(_paper(found))
    if found.matching < len(found.rows):
        warn_user([f"{len(found.rows) - found.matching} published figures do not come out of this record"])
    OUT.print(_ours(found))
    OUT.print(_paired(found))
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "index.html", page(found))
    write_text(out / "reproduction.json", found.model_dump_json(indent=1))
    OUT.print(escape(f"results: {out}  (open {out / 'index.html'})"), soft_wrap=True, highlight=False)


def _paper(found: Reproduction) -> Table:
    """Returns a row per case and agent: the published metrics, ticked if the record reproduces them."""
    title = f"Published figures that the record gives again: {found.matching} of {len(found.rows)}"
    table = titled_table(title, "case", "agent", *(SHORT[figure] for figure in SHORT))
    cells = {(row.case, row.agent, row.figure): row for row in found.rows}
    for case, agent in dict.fromkeys((row.case, row.agent) for row in found.rows):
        rows = (cells.get((case, agent, figure)) for figure in SHORT)
        table.add_row(case, agent, *(_cell(row) for row in rows))
    return table


def _cell(row: PublishedFigure | None) -> str:
    if row is None:
        return "–"
    return (
        f"{row.published:.4g} ✓" if row.matches else f"[dark_orange]{row.published:.4g} ≠ {row.found:.4g}[/dark_orange]"
    )


def _ours(found: Reproduction) -> Table:
    title = f"The same answers, orchestrated ({found.repeats} × {found.folds}-fold, {found.images} images)"
    table = titled_table(title, "system", "accuracy %", "NLL", "ECE", "again", "¢")
    for s in found.scores:
        again = f"{s.looked_again:.0%}" if s.looked_again else ""
        cents = f"{s.cost_usd * 100:.3f}" if s.cost_usd else ""
        table.add_row(s.name, _percent(s.accuracy), _short(s.nll), f"{s.ece.value:.3f}", again, cents)
    return table


def _paired(found: Reproduction) -> Table:
    table = titled_table("doubleread is better by, image by image", "than", "accuracy points", "NLL")
    for d in found.differences:
        table.add_row(d.than, _percent(d.accuracy, sign="+"), _short(d.nll, sign="+"))
    return table


def _percent(e: Estimate, sign: str = "") -> str:
    shown = ACCURACY.display
    low, high = (shown.number(end, sign, digits=0) for end in (e.low, e.high))
    return f"{shown.number(e.value, sign)} ({low}–{high})"


def _short(e: Estimate, sign: str = "") -> str:
    return f"{NLL.display.number(e.value, sign)} ({NLL.display.interval(e, sign=sign)})"
