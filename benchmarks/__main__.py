"""``python -m benchmarks [names…] [--strict] [--list]``.

One JSON object per figure on stdout as it comes; a table for people on stderr at the end.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pkgutil import resolve_name

from rich.console import Console

from benchmarks.harness import measure, missed, show
from benchmarks.registry import BENCHMARKS

_ABOUT = "Measure figures and compare them with their targets."
_PIPED = 140
"""Columns of the table where no terminal says how wide it is."""


def main(arguments: Sequence[str] | None = None, table: Mapping[str, str] = BENCHMARKS) -> int:
    """Runs the benchmarks named, or all; 1 with ``--strict`` where a target was missed, 2 for an unknown name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=_ABOUT)
    parser.add_argument("names", nargs="*", help="names of the benchmarks to run; by default all")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a target is missed or a benchmark fails")
    parser.add_argument("--list", action="store_true", help="list the benchmarks")
    options = parser.parse_args(arguments)
    names = tuple(dict.fromkeys(options.names)) or sorted(table)
    if unknown := [name for name in names if name not in table]:
        parser.error(f"unknown benchmark {unknown[0]!r}; known: {', '.join(sorted(table))}")
    if options.list:
        _write("\n".join(names))
        return 0
    figures = []
    for figure in measure(names, lambda name: resolve_name(table[name])):
        _write(figure.model_dump_json(exclude_defaults=True))
        figures.append(figure)
    console = Console(stderr=True)
    show(figures, console if console.is_terminal else Console(stderr=True, width=_PIPED))
    return int(options.strict and missed(figures))


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
