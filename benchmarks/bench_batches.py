"""Whether ordinary unseen pictures pass, and batches that were changed on purpose are told and named."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.bench_panel import JudgedPanel, judged_panel
from benchmarks.data import leaves, solar_cells
from benchmarks.figure import Figure
from doubleread.core.batch import BatchComparison
from doubleread.core.case import Case
from doubleread.core.verdict import Verdict
from doubleread.evals.datasets import Dataset
from doubleread.orchestrator.resampling import bootstrap, group_codes
from doubleread.panel import Panel

SHOWN = 60
"""Pictures of a changed batch."""
HALVES = 10
"""Divisions of the test groups into halves, both of which are compared."""
CHANGES: dict[str, tuple[str, Callable[[Image.Image], Image.Image]]] = {
    "grey": ("grey", lambda image: image.convert("L").convert("RGB")),
    "blurred": ("more blurred", lambda image: image.filter(ImageFilter.GaussianBlur(max(image.size) / 85))),
    "darkened": ("darker", lambda image: image.point(lambda value: round(0.4 * value))),
}
"""What is done to the pictures, and the word that must be among the differences."""


def batches() -> Iterator[Figure]:
    """Leaves, and solar cells, which are grey to begin with."""
    for name, load, changes in (
        ("leaves", leaves, ("grey", "blurred", "darkened")),
        ("solar", solar_cells, ("blurred", "darkened")),
    ):
        yield from _figures(name, load, changes)


def _figures(name: str, load: Callable[[], Dataset], changes: Sequence[str]) -> Iterator[Figure]:
    judged = judged_panel(load)
    yield _flagged(name, judged)
    with Panel.load(judged.folder) as panel:
        yield _false_alarms(name, panel, judged)
        cases = _spread([verdict.case for verdict in judged.verdicts])
        for change in changes:
            for known in (True, False):
                yield _changed(name, panel, cases, change, known=known)


def _flagged(name: str, judged: JudgedPanel) -> Figure:
    """Unseen pictures of the same kind whose verdict says that the picture is unusual."""
    flags = np.array([any(one.startswith("the picture is") for one in v.warnings) for v in judged.verdicts], float)
    groups = [verdict.case.group for verdict in judged.verdicts]
    e = bootstrap(lambda rows: float(flags[rows].mean()), len(flags), groups=groups)
    return Figure.of(f"{name}.pictures_flagged", e, len(flags), "<= 0.02")


def _false_alarms(name: str, panel: Panel, judged: JudgedPanel) -> Figure:
    """Both halves of the test groups, divided at random again and again."""
    codes = group_codes([verdict.case.group for verdict in judged.verdicts], len(judged.verdicts))
    rng, found = np.random.default_rng(0), list[BatchComparison]()
    for _ in range(HALVES):
        half = (rng.permutation(codes.max() + 1) % 2)[codes]
        sides = [[v for v, h in zip(judged.verdicts, half, strict=True) if h == side] for side in (0, 1)]
        found += map(panel.compare_batch, sides)
    fired = sum(one.differs for one in found)
    told = f"halves of {codes.max() + 1} test groups, not independent of each other; AUC {_range(found)}"
    return Figure(
        name=f"{name}.batch_false_alarms", value=fired / len(found), n=len(found), target="<= 0.05", note=told
    )


def _range(found: Sequence[BatchComparison]) -> str:
    values = [one.auc for one in found if one.auc is not None]
    return f"{min(values):.2f} to {max(values):.2f}" if values else "not measured"


def _changed(name: str, panel: Panel, cases: Sequence[Case], change: str, *, known: bool) -> Figure:
    """1 where the panel says that the batch differs, and in what."""
    word, how = CHANGES[change]
    with TemporaryDirectory() as folder:
        made = [_written(Path(folder) / f"{i}.png", case, how, known=known) for i, case in enumerate(cases)]
        found = panel.compare_batch(v for v in panel.diagnose_many(made) if isinstance(v, Verdict))
    words = [one.told for one in found.differences]
    told = f"AUC {found.auc or 0:.2f}, p {found.p_value or 0:.3f}"
    return Figure(
        name=f"{name}.batch_{change}{'' if known else '_unknown_groups'}",
        value=float(found.differs and word in words),
        n=found.n,
        target=">= 1",
        note="; ".join(filter(None, (", ".join(words) or "nothing named", told, found.note))),
    )


def _written(file: Path, case: Case, how: Callable[[Image.Image], Image.Image], *, known: bool) -> Case:
    assert case.path is not None
    with Image.open(case.path) as image:
        how(image.convert("RGB")).save(file)
    return Case.from_file(file, group=case.group if known else None)


def _spread(cases: Sequence[Case]) -> list[Case]:
    """``SHOWN`` of them, taken evenly."""
    return [cases[i] for i in np.linspace(0, len(cases) - 1, min(SHOWN, len(cases))).round().astype(int)]
