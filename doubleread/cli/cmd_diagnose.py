"""``doubleread diagnose``."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer
from rich.markup import escape
from rich.text import Text

from doubleread.cli import options
from doubleread.cli.image_arguments import image_paths
from doubleread.cli.screen import ERR, OUT, note, tell_json, words_line
from doubleread.core.durable import write_text
from doubleread.core.progress import silent
from doubleread.core.terminal_text import harmless

if TYPE_CHECKING:
    from doubleread.core.verdict import Unread, Verdict
    from doubleread.panel import Panel as FittedPanel

app = typer.Typer()

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")


@app.command(epilog="Example: doubleread diagnose leaf.jpg --panel panel")
def diagnose(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE…", help="Image files, folders of images, or - for paths on stdin."),
    ],
    panel: options.Panel = Path("panel"),
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each image instead of cards.")] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Also print each agent's figures, the reasons, and what would change the verdict."
        ),
    ] = False,
    subject: Annotated[
        str | None,
        typer.Option(
            metavar="RE:PATTERN",
            help="One verdict for all images of a subject: 're:' and a pattern for the path, such as 're:(plant\\d+)'.",
        ),
    ] = None,
    where: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw which parts of one image the local agents used (.png, .jpg, .webp), or write them as .json.",
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="With --where: the label to explain, instead of the most probable one.")
    ] = None,
    task: options.DecisionFile = None,
    settings: options.SettingsFile = None,
    record: options.Record = None,
    allow_from_panel: options.AllowFromPanel = False,
) -> None:
    """Diagnose images with a fitted panel. Exit code 1 if an image could not be read."""
    from doubleread.cli.subject_arguments import one_each, subjects_in
    from doubleread.cli.tables import spending_table
    from doubleread.core.verdict import Verdict
    from doubleread.panel import Panel

    images = image_paths(images)
    subjects = subjects_in(images, subject)
    drawing = _Drawing.asked(where, label, images)
    chosen, failed, batch = options.settings_of(settings, record=record), False, list[Verdict]()
    with Panel.load(panel, settings=chosen, allow_from_panel=allow_from_panel) as loaded:
        decided, words = _deciding(loaded, task), set[str]()
        for result in one_each(loaded, loaded.diagnose_many(images, progress=silent), subjects):
            failed = failed or (isinstance(result, Verdict) and bool(result.unread))
            shown = decided(result) if isinstance(result, Verdict) else result
            words.update(_show(shown, loaded if explain else None, as_json=json))
            if not isinstance(result, Verdict):
                failed = True
                continue
            batch += map(_bare, result.shots or [result])
            if drawing is not None:
                drawing.write(loaded, result)
        if words:
            _more(images, words, explained=explain)
        announce_batch(loaded, batch)
        if loaded.spent and not json:
            ERR.print(spending_table(loaded.spent))
    if failed:
        raise typer.Exit(1)


def _deciding(panel: "FittedPanel", task: Path | None) -> "Callable[[Verdict], Verdict]":
    """Returns what a verdict becomes with the costs and the prior of a task file."""
    if task is None:
        return lambda verdict: verdict
    from doubleread.evals.datasets.task_file import decision_changes

    costs, prior = decision_changes(panel.task, task)
    return lambda verdict: panel.redecide(verdict, costs=costs, prevalence=prior or None)


@dataclass(frozen=True)
class _Drawing:
    """The file for the attribution map, and the label it shows; None means the most likely label."""

    file: Path
    label: str | None

    @classmethod
    def asked(cls, file: Path | None, label: str | None, images: Sequence[str]) -> Self | None:
        """Builds it from the options. Raises ``BadParameter`` for combinations that are not supported."""
        if file is None:
            if label is not None:
                raise typer.BadParameter("--label says which label --where draws: name a file with --where")
            return None
        if file.suffix.lower() not in (*_PICTURES, ".json"):
            raise typer.BadParameter(f"--where {file}: name a file that ends in {', '.join(_PICTURES)} or .json")
        if len(images) > 1:
            raise typer.BadParameter(f"--where draws one image, and {len(images)} were named: name one")
        return cls(file, label)

    def write(self, panel: "FittedPanel", verdict: "Verdict") -> None:
        """Computes the attribution map by covering parts of the image, and writes it."""
        found = panel.attribute(verdict, label=self.label)
        for line in (*found.lines, *((found.method,) if found.maps else ())):
            ERR.print(f"· {line}", markup=False, highlight=False)
        if self.file.suffix.lower() == ".json":
            write_text(self.file, found.model_dump_json(indent=1))
        else:
            found.picture().save(self.file)
        note(f"written to {self.file}")


def _show(result: "Verdict | Unread", explaining: "FittedPanel | None", *, as_json: bool) -> tuple[str, ...]:
    """Prints a card, and its details with the panel that explains it; returns the texts of the card."""
    from doubleread.core.verdict import LEANINGS, Unread
    from doubleread.core.verdict_wording import first_screen
    from doubleread.render.terminal_card import verdict_details

    if as_json:
        tell_json(result.model_dump_json(exclude=set(LEANINGS)))
        return ()
    if isinstance(result, Unread):
        ERR.print(f"[red]✗[/red] {escape(harmless(f'{result.source}: {result.problem}'))}", highlight=False)
        return ()
    OUT.print(result)
    if explaining is None:
        return first_screen(result)
    lines = explaining.explain(result).lines
    OUT.print(verdict_details(result, besides=lines))
    for line in lines:
        OUT.print(f"· {harmless(line)}", markup=False, highlight=False)
    return (*first_screen(result), *lines)


def _more(images: Sequence[str], texts: Iterable[str], *, explained: bool) -> None:
    """Says how to get the details, and where the words of the cards are explained."""
    if not explained and len(images) == 1:
        ERR.print(Text(f"more: doubleread diagnose {harmless(images[0])} --explain", "dim"), soft_wrap=True)
    words_line(texts)


def announce_batch(panel: "FittedPanel", verdicts: "Sequence[Verdict]") -> None:
    """Compares the images, as a batch, with the calibration images. The comparison itself warns of a difference."""
    from doubleread.panel.batch_comparison import FEWEST

    if len(verdicts) < FEWEST:
        return
    found = panel.compare_batch(verdicts)
    for line in () if found.differs else found.lines:
        note(line)


def _bare(verdict: "Verdict") -> "Verdict":
    """Keeps only what the batch check needs, so that thousands of verdicts fit in memory."""
    kept = {name: getattr(verdict, name) for name in ("case", "task", "posterior", "leaning", "decision")}
    return type(verdict)(**kept)
