"""``doubleread datasets``: lists, describes and downloads public data sets."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from doubleread.cli.screen import ERR, OUT, facts_table, note, say, table
from doubleread.core.notices import warn_user

if TYPE_CHECKING:
    from doubleread.core.progress import Progress as Report
    from doubleread.evals.public import FetchedFile, PublicDataset, PublicFile

app = typer.Typer(no_args_is_help=True, help="Public data: where it is, what may be done with it; fetch it verified.")

Name = Annotated[str, typer.Argument(help="One of `doubleread datasets list`.")]


@app.command("list", epilog="Example: doubleread datasets list")
def show_list() -> None:
    """Every data set that doubleread knows of: what, where, under which licence, and what to run on it."""
    from doubleread.evals.public import public_datasets

    known = public_datasets()
    OUT.print(_overview(list(known.values())))
    for one in known.values():
        OUT.print(Text.assemble((f"\n{one.name}  ", "bold"), one.home), soft_wrap=True)
        if one.use is not None:
            say(f"  {one.use.format(folder=one.name)}")
    note("doubleread datasets show NAME: citation, files with checksums, remarks, the commands")


@app.command(epilog="Example: doubleread datasets show apple-leaves")
def show(name: Name) -> None:
    """Everything about one data set."""
    from doubleread.evals.public import find

    found = find(name)
    OUT.print(f"{found.name}: {found.what}", markup=False, highlight=False, style="bold")
    OUT.print(_facts(found))
    for remark in found.remarks:
        OUT.print(f"• {remark}", markup=False, highlight=False)
    if found.files:
        _lines("files:", [line for file in found.files for line in _about(file)])
    _lines("to get it:", found.steps or (f"doubleread datasets fetch {name} -o {name}{_consent(found)}",))
    if found.use is not None:
        _lines("then:", [found.use.format(folder=name)])


@app.command(epilog="Example: doubleread datasets fetch paper-answers -o paper")
def fetch(
    name: Name,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder; by default the data set's name.")] = None,
    sha256: Annotated[str | None, typer.Option(help="What the file must be, where no checksum is known.")] = None,
    accept_unverified: Annotated[
        bool,
        typer.Option("--accept-unverified", help="Believe the first copy where no checksum is known."),
    ] = False,
) -> None:
    """Download a data set and verify every file. Run it again to go on after an interruption."""
    from doubleread.evals.public import find

    run_fetch(find(name), out or Path(name), sha256=sha256, accept_unverified=accept_unverified)


def run_fetch(
    dataset: "PublicDataset", out: Path, *, sha256: str | None = None, accept_unverified: bool = False
) -> None:
    """Prints the data set and its licence, downloads it, and names the next command."""
    from doubleread.evals.public import fetch as fetch_all

    note(f"{dataset.what}. Licence: {dataset.licence}")
    with _progress() as report:
        found = fetch_all(dataset, out, sha256=sha256, accept_unverified=accept_unverified, report=report)
    for file in found:
        say(_line(file))
        if file.basis == "first copy":
            warn_user([f"{file.name}: its checksum was not known; this copy's is kept in {out / 'checksums.json'}"])
    if dataset.use is not None:
        _lines("next:", [dataset.use.format(folder=out)])


def _line(file: "FetchedFile") -> str:
    came = "already there" if file.was_there else "fetched"
    unpacked = f", {file.unpacked:,} files unpacked" if file.unpacked else ""
    return f"{file.name}  {_size(file.size)}  {came}, sha256 {file.sha256[:12]}… ({file.basis}){unpacked}"


def _overview(datasets: "list[PublicDataset]") -> Table:
    shown = table()
    shown.add_column("name", style="bold", no_wrap=True)
    shown.add_column("what", ratio=1)
    shown.add_column("images", justify="right", no_wrap=True)
    shown.add_column("licence", max_width=14)
    shown.add_column("get it by", max_width=13)
    for one in datasets:
        shown.add_row(one.name, Text(one.what), f"{one.images:,}", Text(one.licence), _way(one))
        shown.add_section()
    return shown


def _way(dataset: "PublicDataset") -> str:
    if dataset.files:
        return "fetch" if dataset.size is None else f"fetch {_size(dataset.size)}"
    return f"pip {dataset.package}" if dataset.package else "git clone"


def _facts(dataset: "PublicDataset") -> Table:
    return facts_table(
        [
            ("where", dataset.home),
            ("licence", dataset.licence),
            ("cite", dataset.citation),
            ("images", f"{dataset.images:,}"),
            ("labels", ", ".join(dataset.labels)),
            ("package", dataset.package or ""),
            ("checksums", dataset.checksums_from or ""),
        ]
    )


def _about(file: "PublicFile") -> tuple[str, ...]:
    unpacked = ", to be unpacked" if file.unpack else ""
    return f"{file.name}  {_size(file.size)}{unpacked}", f"  {file.url}", f"  sha256 {file.sha256 or 'not known'}"


def _consent(dataset: "PublicDataset") -> str:
    return " --accept-unverified" if any(file.sha256 is None for file in dataset.files) else ""


def _lines(title: str, lines: Sequence[str]) -> None:
    """Prints lines unwrapped, to be copied."""
    OUT.print(title, style="dim")
    for line in lines:
        say(f"  {line}")


def _size(n: int | None) -> str:
    if n is None:
        return "size unknown"
    if n < 1000:
        return f"{n} bytes"
    return f"{n / 1e6:,.0f} MB" if n >= 1e7 else f"{n / 1e3:,.0f} kB"


@contextmanager
def _progress() -> "Iterator[Report]":
    """Shows a progress bar per file, in bytes; nothing in a pipe."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), DownloadColumn(), TransferSpeedColumn())
    bars = Progress(*columns, TimeRemainingColumn(compact=True), console=ERR, disable=not ERR.is_terminal)
    known = {}

    def report(name: str, done: int, total: int) -> None:
        if name not in known:
            known[name] = bars.add_task(name, total=None, start=True)
        bars.update(known[name], completed=done, total=total or None)

    with bars:
        yield report
