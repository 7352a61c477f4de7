"""``doubleread diagnose``."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from doubleread.cli import options
from doubleread.cli.image_arguments import NamedImages, named_images
from doubleread.cli.screen import ERR, note, warn
from doubleread.core.durable import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doubleread.cli.diagnosis_output import Output
    from doubleread.cli.subject_arguments import SubjectVerdicts
    from doubleread.core.verdict import Unread, Verdict
    from doubleread.evals.runs.runner import End
    from doubleread.panel import Panel as FittedPanel

app = typer.Typer()

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_COMPARED = 5000
"""Verdicts that are kept in memory to compare the batch: drawn at random from a larger one."""
UNREAD, INCOMPLETE, INTERRUPTED = 1, 3, 130


@app.command(
    epilog="Examples: doubleread diagnose leaf.jpg --panel panel; doubleread diagnose photos/ -o verdicts; "
    "find photos -name '*.jpg' | doubleread diagnose - --json. Exit codes: 0; 1 an image could not be read; "
    "2 nothing was diagnosed; 3 the budget is used up; 130 interrupted."
)
def diagnose(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE…",
            help="Image files, folders of images, patterns in quotes, tables with a column of paths (.csv, .tsv, "
            ".jsonl), or - for paths on stdin.",
        ),
    ],
    panel: options.Panel = Path("panel"),
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FOLDER",
            help="Keep the verdicts in this folder; the same command then resumes where it stopped.",
        ),
    ] = None,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="With -o: diagnose images again that failed before.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each image instead of cards or lines.")
    ] = False,
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
    """Diagnose images with a fitted panel: a card each for a few images, a line each for many.

    With -o each verdict is on disk before it is shown. Press Ctrl-C once to stop after the images in progress, and
    twice to stop at once.
    """
    from doubleread.cli.diagnosis_output import FEW, progress_of
    from doubleread.cli.subject_arguments import SubjectVerdicts
    from doubleread.cli.tables import spending_table
    from doubleread.evals.runs.image_run import ImageRun, diagnose_images
    from doubleread.panel import Panel

    named = named_images(images)
    subjects = None if subject is None else SubjectVerdicts(named, subject)
    drawing = _Drawing.asked(where, label, named)
    many = named.streamed or len(named.found) > FEW
    chosen = options.settings_of(settings, record=record)
    with Panel.load(panel, settings=chosen, allow_from_panel=allow_from_panel) as loaded:
        decided, identity = _deciding(loaded, task)
        output = _output(named, loaded if explain else None, as_json=json, many=many)
        shown = _Results(output, drawing) if subjects is None else _OfSubjects(output, loaded, subjects, decided, out)
        with progress_of(many=many) as watch:
            total = None if named.streamed else len(named.found)
            wanted = ImageRun(shown.show, out, shown.of_image(decided), identity, total, watch, retry_errors)
            ended = diagnose_images(loaded, named.stream(), wanted)
        shown.end(complete=ended.end == "complete")
        if ended.before:
            note(f"{ended.before:,} images were diagnosed before, and are not shown again")
        for line in (*named.notes, *named.path_notes()):
            note(line)
        if shown.drawn is not None and drawing is not None:
            drawing.write(loaded, shown.drawn)
        announce_batch(loaded, shown.compared)
        if loaded.spent and not json:
            ERR.print(spending_table(loaded.spent))
    _leave(ended.end, out, failed=shown.failed)


def _output(named: NamedImages, explaining: "FittedPanel | None", *, as_json: bool, many: bool) -> "Output":
    from doubleread.cli.diagnosis_output import Cards, JsonOutput, Lines

    if as_json:
        return JsonOutput(many=many)
    if many and explaining is None:
        return Lines()
    return Cards(explaining, named.arguments[0] if len(named.found) == 1 and not named.streamed else None)


class _Results:
    """Passes results on to the output, and keeps what is needed at the end."""

    def __init__(self, output: "Output", drawing: "_Drawing | None") -> None:
        self.output, self._drawing = output, drawing
        self.failed = False
        self.drawn: Verdict | None = None
        self.compared: list[Verdict] = []
        """A sample of the verdicts."""
        self._read, self._draw = 0, random.Random(0)  # noqa: S311 - a sample

    def show(self, result: "Verdict | Unread") -> None:
        from doubleread.core.verdict import Verdict

        self.output.show(result)
        if not isinstance(result, Verdict):
            self.failed = True
            return
        if self._drawing is not None:
            self.drawn = result
        self._keep(_bare(result))

    def of_image(self, decided: "Callable[[Verdict], Verdict]") -> "Callable[[Verdict], Verdict]":
        """What becomes of the verdict on an image."""
        return decided

    def end(self, *, complete: bool) -> None:  # noqa: ARG002
        self.output.end()

    def _keep(self, verdict: "Verdict") -> None:
        self._read += 1
        if len(self.compared) < _COMPARED:
            self.compared.append(verdict)
        elif (place := self._draw.randrange(self._read)) < _COMPARED:
            self.compared[place] = verdict


class _OfSubjects(_Results):
    """Shows one verdict for each subject: of images that are kept in a folder, when all have their verdicts."""

    def __init__(
        self,
        output: "Output",
        panel: "FittedPanel",
        subjects: "SubjectVerdicts",
        decided: "Callable[[Verdict], Verdict]",
        out: Path | None,
    ) -> None:
        super().__init__(output, None)
        self._panel, self._subjects, self._decided, self._out = panel, subjects, decided, out
        self._unopened: list[Unread] = []

    def show(self, result: "Verdict | Unread") -> None:
        from doubleread.core.verdict import Unread, Verdict

        self.failed = self.failed or isinstance(result, Unread)
        if isinstance(result, Verdict):
            self._keep(_bare(result))
        if self._out is None:
            self._subjects.add(self._panel, result, self._card)
        elif isinstance(result, Unread):
            self._unopened.append(result)

    def of_image(self, decided: "Callable[[Verdict], Verdict]") -> "Callable[[Verdict], Verdict]":  # noqa: ARG002
        """Costs and prior are applied to the verdict on the subject."""
        return lambda verdict: verdict

    def end(self, *, complete: bool) -> None:
        if self._out is not None and complete:
            self._subjects.add_kept(self._panel, self._out, self._unopened, self._card)
        self.output.end()

    def _card(self, result: "Verdict | Unread") -> None:
        from doubleread.core.verdict import Verdict

        self.output.show(self._decided(result) if isinstance(result, Verdict) else result)


def _leave(end: "End", out: Path | None, *, failed: bool) -> None:
    """Says where the verdicts are, and ends with the exit code."""
    if out is not None:
        note(f"verdicts: {out / 'rows.jsonl'}, as a table {out / 'cases.csv'}")
    if end != "complete":
        kept = "the same command resumes" if out is not None else "with -o FOLDER verdicts are kept, and can be resumed"
        warn(f"{'the budget is used up' if end == 'budget' else 'stopped'}: {kept}")
        raise typer.Exit(INCOMPLETE if end == "budget" else INTERRUPTED)
    if failed:
        raise typer.Exit(UNREAD)


def _deciding(panel: "FittedPanel", task: Path | None) -> "tuple[Callable[[Verdict], Verdict], Any]":
    """Returns what a verdict becomes with the costs and the prior of a task file, and these as JSON."""
    if task is None:
        return lambda verdict: verdict, None
    from doubleread.evals.datasets.task_file import decision_changes

    costs, prior = decision_changes(panel.task, task)
    identity = [costs.model_dump(mode="json") if costs else None, dict(prior)]
    return lambda verdict: panel.redecide(verdict, costs=costs, prevalence=prior or None), identity


@dataclass(frozen=True)
class _Drawing:
    """The file for the attribution map, and the label it shows; None means the most likely label."""

    file: Path
    label: str | None

    @classmethod
    def asked(cls, file: Path | None, label: str | None, images: NamedImages) -> Self | None:
        """Builds it from the options. Raises ``BadParameter`` for combinations that are not supported."""
        if file is None:
            if label is not None:
                raise typer.BadParameter("--label says which label --where draws: name a file with --where")
            return None
        if file.suffix.lower() not in (*_PICTURES, ".json"):
            raise typer.BadParameter(f"--where {file}: name a file that ends in {', '.join(_PICTURES)} or .json")
        if images.streamed or len(images.found) > 1:
            many = "stdin was" if images.streamed else f"{len(images.found)} were"
            raise typer.BadParameter(f"--where draws one image, and {many} named: name one")
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


def announce_batch(panel: "FittedPanel", verdicts: "Sequence[Verdict]") -> None:
    """Compares the images, as a batch, with the calibration images. The comparison itself warns of a difference."""
    from doubleread.panel.batch_comparison import FEWEST

    if len(verdicts) < FEWEST:
        return
    found = panel.compare_batch(verdicts)
    for line in () if found.differs else found.lines:
        note(f"the images were not compared with the calibration images: {line}" if line == found.note else line)


def _bare(verdict: "Verdict") -> "Verdict":
    """Keeps only what the batch check needs, so that thousands of verdicts fit in memory."""
    kept = {name: getattr(verdict, name) for name in ("case", "task", "posterior", "leaning", "decision")}
    return type(verdict)(**kept)
