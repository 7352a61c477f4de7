"""How large the code is, and how long its quick test suite takes."""

import ast
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("agents", "orchestrator", "rag", "prompts", "evals", "doubleread")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def structure() -> Iterator[Figure]:
    """Lines of the package, sizes of files and functions, and names that are used twice. Tests are left out."""
    files = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]
    texts = [file.read_text(encoding="utf-8") for file in files]
    lines = [len(text.splitlines()) for text in texts]
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    functions = [(one.end_lineno or 0) - one.lineno + 1 for one in nodes if isinstance(one, _FUNCTIONS)]
    classes = _repeated(one.name for one in nodes if isinstance(one, ast.ClassDef))
    names = _repeated(file.name for file in files if not file.name.startswith("__"))
    for name, value, n, target in (
        ("lines", sum(lines), len(files), "<= 40000"),
        ("file_lines.p90", float(np.quantile(lines, 0.9)), len(files), "<= 200"),
        ("file_lines.largest", max(lines), len(files), "<= 400"),
        ("function_lines.p90", float(np.quantile(functions, 0.9)), len(functions), "<= 17"),
        ("class_names.repeated", classes, None, "<= 5"),
        ("file_names.repeated", names, None, "<= 15"),
    ):
        yield Figure(name=f"structure.{name}", value=value, n=n, target=target)


def quick_suite_seconds() -> Iterator[Figure]:
    """Seconds of the quick test suite, with one process more than cores, as ``make test`` runs it."""
    workers = str((os.cpu_count() or 1) + 1)
    command = [sys.executable, "-m", "pytest", "-n", workers, "--dist", "loadfile", "-m", "not integration"]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - pytest
    seconds = time.perf_counter() - began
    last = next(iter(done.stdout.strip().splitlines()[-1:]), "")
    if done.returncode != 0:
        raise RuntimeError(f"the suite failed: {last}")
    yield Figure(name="quick_suite_seconds", value=seconds, target="<= 360", note=last)


def _repeated(names: Iterable[str]) -> int:
    return sum(n > 1 for n in Counter(names).values())
