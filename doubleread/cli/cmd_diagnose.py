"""``doubleread diagnose``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import typer
from rich.markup import escape

from doubleread.cli.screen import ERR, OUT, note, tell_json, warn
from doubleread.cli.tables import spending_table
from doubleread.core.durable import write_text
from doubleread.core.terminal_text import harmless
from doubleread.core.verdict import LEANINGS, Unread, Verdict
from doubleread.panel import Panel
from doubleread.panel.batch_comparison import FEWEST
from doubleread.settings import Settings

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class Drawn:
    """The file that says where the agents looked, and for which label; the likeliest where it is None."""

    file: Path
    label: str | None

    @classmethod
    def asked(cls, file: Path | None, label: str | None, images: Sequence[str]) -> Self | None:
        """What the options ask for. Raises ``BadParameter`` for what cannot be had."""
        if file is None:
            if label is not None:
                raise typer.BadParameter("--label says which label --where draws: name a file with --where")
            return None
        if file.suffix.lower() not in (*_PICTURES, ".json"):
            raise typer.BadParameter(f"--where {file}: name a file that ends in {', '.join(_PICTURES)} or .json")
        if len(images) > 1:
            raise typer.BadParameter(f"--where draws one image, and {len(images)} were named: name one")
        return cls(file, label)

    def write(self, panel: Panel, verdict: Verdict) -> None:
        """Reads the image with parts of it covered, and writes what that shows."""
        found = panel.attribute(verdict, label=self.label)
        for line in (*found.lines, *((found.method,) if found.maps else ())):
            ERR.print(f"· {line}", markup=False, highlight=False)
        if self.file.suffix.lower() == ".json":
            write_text(self.file, found.model_dump_json(indent=1))
        else:
            found.picture().save(self.file)
        note(f"written to {self.file}")


def run_diagnose(
    images: list[str],
    panel_folder: Path,
    *,
    as_json: bool,
    explained: bool,
    settings: Settings,
    drawn: Drawn | None = None,
    allow: bool = False,
) -> None:
    """A card (or a JSON line) for each image; images that cannot be read are reported and the rest goes on."""
    failed = False
    batch: list[Verdict] = []
    with Panel.load(panel_folder, settings=settings, allow_from_panel=allow) as panel:
        if panel.encoder_is_fallback and not as_json:
            warn(panel.encoder_note)
        for result in panel.diagnose_many(images):
            failed |= isinstance(result, Unread)
            if isinstance(result, Verdict):
                batch.append(_bare(result))
            _show(result, panel if explained else None, as_json=as_json)
            if drawn is not None and isinstance(result, Verdict):
                drawn.write(panel, result)
        announce_batch(panel, batch)
        if panel.spent and not as_json:
            ERR.print(spending_table(panel.spent))
    if failed:
        raise typer.Exit(1)


def _show(result: Verdict | Unread, explaining: Panel | None, *, as_json: bool) -> None:
    if as_json:
        tell_json(result.model_dump_json(exclude=set(LEANINGS)))
    elif isinstance(result, Unread):
        ERR.print(f"[red]✗[/red] {escape(harmless(f'{result.source}: {result.problem}'))}", highlight=False)
    else:
        OUT.print(result)
        for line in explaining.explain(result).lines if explaining is not None else ():
            OUT.print(f"· {harmless(line)}", markup=False, highlight=False)


def announce_batch(panel: Panel, verdicts: Sequence[Verdict]) -> None:
    """Warns on stderr where the pictures, as a batch, differ from those the panel was trusted on."""
    if len(verdicts) < FEWEST:
        return
    found = panel.compare_batch(verdicts)
    for line in found.lines:
        (warn if found.differs else note)(line)


def _bare(verdict: Verdict) -> Verdict:
    """What a batch is judged by: of thousands of verdicts the rest would only fill the memory."""
    return Verdict(
        case=verdict.case,
        task=verdict.task,
        posterior=verdict.posterior,
        leaning=verdict.leaning,
        decision=verdict.decision,
    )
