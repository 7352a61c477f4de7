"""Runs benchmarks one after another; what fails or cannot run is a record, and the others go on."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.figure import Benchmark, Figure, Skipped


def measure(names: Iterable[str], load: Callable[[str], Benchmark]) -> Iterator[Figure]:
    """The figures of these benchmarks as they come, each with its time; ``load`` finds a benchmark by name."""
    for name in names:
        yield from _run(name, load)


def missed(figures: Iterable[Figure]) -> bool:
    """A target was missed, or a benchmark failed; what was skipped is neither."""
    return any(figure.met is False or figure.error for figure in figures)


def show(figures: Sequence[Figure], console: Console) -> None:
    """A table of the figures, for people."""
    table = Table(title="benchmarks", title_justify="left", header_style="bold")
    for column in ("figure", "value", "interval", "n", "target", "", "s"):
        left = column in {"figure", "target", ""}
        table.add_column(column, justify="left" if left else "right", overflow="fold", no_wrap=column != "")
    for figure in figures:
        table.add_row(*_cells(figure))
    console.print(table)


def _run(name: str, load: Callable[[str], Benchmark]) -> Iterator[Figure]:
    began = time.perf_counter()
    try:
        for figure in load(name)():
            now = time.perf_counter()
            taken = now - began if figure.seconds is None else figure.seconds
            yield figure.model_copy(update={"seconds": round(taken, 3)})
            began = time.perf_counter()
    except Skipped as reason:
        yield Figure(name=name, skipped=str(reason), seconds=_since(began))
    except Exception as error:  # noqa: BLE001  (whatever breaks in one benchmark must not stop the others)
        yield Figure(name=name, error=f"{type(error).__name__}: {error}", seconds=_since(began))


def seconds(do: Callable[[], object]) -> float:
    """How long it takes to do it."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def timed(name: str, taken: Sequence[float], target: str = "") -> Figure:
    """Seconds of single calls; the first of them was to warm up."""
    ordered = sorted(taken[1:])
    return Figure(
        name=name,
        value=median(ordered),
        low=ordered[0],
        high=ordered[int(0.95 * len(ordered))],
        n=len(ordered),
        target=target,
        note="median; from the fastest to the 95th percentile",
    )


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 3)


def _cells(figure: Figure) -> tuple[str, ...]:
    interval = "" if figure.low is None or figure.high is None else f"{_short(figure.low)} – {_short(figure.high)}"
    return (
        figure.name,
        _short(figure.value),
        interval,
        "" if figure.n is None else f"{figure.n:,}",
        figure.target,
        _verdict(figure),
        "" if figure.seconds is None else f"{figure.seconds:.1f}",
    )


def _verdict(figure: Figure) -> str:
    if figure.error:
        return f"[red]✗ error: {escape(figure.error)}[/red]"
    if figure.skipped:
        return f"[yellow]– skipped: {escape(figure.skipped)}[/yellow]"
    said = {None: "", True: "[green]✓ met[/green]", False: "[red]✗ missed[/red]"}[figure.met]
    return " ".join(part for part in (said, f"[dim]{escape(figure.note)}[/dim]" if figure.note else "") if part)


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
