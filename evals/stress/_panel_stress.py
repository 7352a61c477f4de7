"""How a panel does on corrupted pictures."""

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from doubleread.core.background import Background
from doubleread.core.case import Case
from doubleread.core.errors import DataError, ImageError
from doubleread.core.notices import cautions, divided, warn_user
from doubleread.core.process import at_rest
from doubleread.core.progress import Progress
from doubleread.core.task import Costs
from doubleread.evals.datasets import LabelledCases, read_labelled
from doubleread.evals.datasets.label_hints import as_task_spells, hint, kept_words, unknown_labels
from doubleread.evals.runs.selection import select
from doubleread.evals.stress._corrupted_pictures import PictureVariant, thumbnails
from doubleread.evals.stress._stress_figures import ConditionFigures
from doubleread.evals.stress._stress_reading import read
from doubleread.evals.stress._stress_record import ALL, CLEAN, Promise, StressTest, TestedCorruption
from doubleread.evals.stress.corruptions import Corruption, checked, chosen
from doubleread.evals.stress.stress_page import write
from doubleread.evals.stress.stress_wording import counted, left_out, narrow, partly, verdict
from doubleread.panel import Panel
from doubleread.render.progress_display import shown

USUAL_SEVERITIES = (1, 3, 5)
"""Default severities."""
USUAL_LIMIT = 120
"""Default number of images: some minutes on two cores."""


def stress_panel(
    panel: Panel,
    data: LabelledCases | str | Path,
    *,
    corruptions: Sequence[str] = (),
    severities: Sequence[int] = USUAL_SEVERITIES,
    split: str | None = None,
    limit: int = USUAL_LIMIT,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> StressTest:
    """Measures a panel on clean and on corrupted images: how often it is right, commits wrongly, refers or warns.

    Every condition uses the same images. Images that the panel has learned from are left out.

    Args:
        panel: A panel that was loaded from its folder.
        data: Labelled cases, or anything that ``read_dataset`` takes.
        corruptions: Names or families, see ``CORRUPTIONS``; all if empty.
        severities: From 1 (slight) to 5 (severe).
        split: Split to use; if None, the test split of data that have splits, else all cases.
        limit: Greatest number of images, taken evenly from the data.
        out: Folder for ``stress.html``, ``stress.json`` and ``stress.svg``; nothing is written if None.
        progress: As for ``Panel.fit``.

    Raises:
        DataError: No image is left, or a severity does not exist.
        UnknownPart: There is no such corruption.
        PanelError: The panel was never saved.
        RunError: The budget for models is spent.

    Examples:
        >>> found = doubleread.stress_panel(panel, "photos", corruptions=["noise"], severities=[3], limit=6)
        >>> found.clean.figures["accuracy"].value
        1.0
    """
    kinds, levels = chosen(corruptions), checked(severities)
    dataset = data if isinstance(data, LabelledCases) else read_labelled(data, label_map=kept_words(panel.task.names))
    about, began = panel.about(), time.perf_counter()
    cases, notes = _cases(panel, dataset, split, limit)
    variants = [PictureVariant(None, 0), *(PictureVariant(kind, level) for kind in kinds for level in levels)]
    with at_rest(), shown(progress) as report, Background() as background:
        found = background.call(read, panel, cases, variants, partial(report, "corrupted images"))
    kept = [i for i in range(len(cases)) if i not in found.unread and i not in found.known]
    if not kept:
        raise DataError("no image is left to test: " + "; ".join(left_out(found)))
    measures, promise = ConditionFigures(found, kept, [cases[i].group for i in kept]), promised(panel)
    clean = measures.condition(CLEAN, 0, [0])
    each = [measures.condition(kind.name, level, [j]) for j, (kind, level) in enumerate(variants) if kind is not None]
    overall = [
        measures.condition(ALL, level, [j for j, c in enumerate(variants) if c.severity == level]) for level in levels
    ]
    judged = [one for one in each if one.n]
    if not judged:
        raise DataError("no picture could be corrupted and read: " + "; ".join((*left_out(found), *partly(each))))
    information, warnings = divided((*notes, *left_out(found), *partly(each), *narrow(measures.groups)))
    result = StressTest(
        name=dataset.name,
        task=panel.task.id,
        panel=about.digest,
        n=len(kept),
        groups=measures.groups,
        promise=promise,
        verdict=verdict(promise, clean, judged, overall),
        severities=levels,
        corruptions=tuple(TestedCorruption(name=kind.name, family=kind.family, about=kind.about) for kind in kinds),
        clean=clean,
        overall=tuple(overall),
        conditions=tuple(judged),
        notes=(*dataset.notes, *information),
        warnings=(*dataset.warnings, *warnings),
        readings=found.read,
        seconds=time.perf_counter() - began,
        examples=_examples([cases[i] for i in kept], variants),
    )
    if out is not None:
        write(result, Path(out))
    warn_user(warnings)
    return result


def promised(panel: Panel) -> Promise:
    """The share of commitments that may be wrong: ``trust.max_risk``, or what the task's costs imply.

    A panel that knows its chances commits where an error is expected to cost no more than a referral.
    """
    if (most := panel.settings.trust.max_risk) is not None:
        return Promise(risk=most, why=f"trust.max_risk is {most:g}")
    costs = panel.task.costs
    error = _cheapest_error(costs, panel.task.names)
    return Promise(
        risk=min(1.0, costs.referral / error), why=f"a referral costs {costs.referral:g} and an error {error:g}"
    )


def _cheapest_error(costs: Costs, names: Sequence[str]) -> float:
    pairs = [(true, said) for true in names for said in names if true != said]
    return min((c for true, said in pairs if (c := costs.matrix.get(true, {}).get(said, costs.error)) > 0), default=1.0)


def _cases(panel: Panel, dataset: LabelledCases, split: str | None, limit: int) -> tuple[list[Case], list[str]]:
    """The images to corrupt, and what to know about the choice."""
    names = panel.task.names
    cases = as_task_spells(dataset.cases, names)
    labelled = [case for case in cases if case.label in names]
    told = hint(unknown_labels(cases, names), names)
    if not labelled:
        raise DataError(f"no image has a label of the panel's task; {told}")
    selection = select(labelled, panel.learned_from, split=split, limit=limit)
    other = len(dataset.cases) - len(labelled)
    whose = "its" if other == 1 else "their"
    left = f"{counted(other, 'image')} left out: {whose} label is none of the panel's task; {told}"
    return [case for _, case in selection.chosen], [*cautions([left] if other else []), *selection.notes]


def _examples(cases: Sequence[Case], variants: Sequence[PictureVariant]) -> dict[str, tuple[str, ...]]:
    """Thumbnails of the first image to which most can be done."""
    for case in cases:
        with suppress(ImageError):
            found = thumbnails(case, variants)
            if None not in found or case is cases[-1]:
                return _by_corruption(variants, found)
    return {}


def _by_corruption(variants: Sequence[PictureVariant], found: Sequence[str | None]) -> dict[str, tuple[str, ...]]:
    strips: dict[str, tuple[str, ...]] = {}
    for variant, uri in zip(variants, found, strict=True):
        if uri is not None:
            name = variant.corruption.name if isinstance(variant.corruption, Corruption) else CLEAN
            strips[name] = (*strips.get(name, ()), uri)
    return strips
