"""Which images prompts are tried on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from doubleread.core.case import Case
from doubleread.core.errors import DataError
from doubleread.core.notices import Caution
from doubleread.core.subject_groups import whole_groups
from doubleread.panel import Panel

FEWEST = 2
"""Fewest groups of a label: answers are calibrated on some and judged on others."""


@dataclass(frozen=True)
class PromptSample:
    """The images, and what to know about the choice."""

    cases: tuple[Case, ...]
    notes: tuple[str, ...]


def images_for(panel: Panel, cases: Sequence[Case] | None, size: int, seed: int) -> PromptSample:
    """Chooses images whose label is known, never of the test split; errors as ``sampled``.

    Without ``cases``, the panel's calibration images. Otherwise those of ``cases`` that it was calibrated or fitted on:
    it will be judged on the others. An agent that asks a model has learned from none of them.
    """
    usable = panel.calibration_images() if cases is None else _labelled(cases)
    if not usable:
        what = "the panel does not say where its calibration images are" if cases is None else "the data have none"
        raise DataError(f"no labelled image to try prompts on: {what}; name a folder or table of labelled images")
    calibrated = {row.case for row in panel.calibration_readings()}
    for kind, part in {
        "calibration images of the panel": [case for case in usable if case.id in calibrated],
        "images that the panel was fitted on": [case for case in usable if panel.learned_from(case)],
    }.items():
        if part:
            return sampled(part, size, seed, kind)
    found = sampled(usable, size, seed, "images that the panel has not seen")
    once = "a prompt chosen on these images cannot be judged on them: keep others for `doubleread evaluate`"
    return PromptSample(found.cases, (*found.notes, Caution(once)))


def sampled(cases: Sequence[Case], size: int, seed: int, kind: str = "images") -> PromptSample:
    """Draws about ``size`` cases at random: whole groups, labels in the proportion of ``cases``.

    Raises ``DataError`` unless two labels have two groups each.
    """
    groups = _by_label(whole_groups(list(cases)))
    alone = sorted(label for label, found in groups.items() if len(found) < FEWEST)
    groups = {label: found for label, found in groups.items() if label not in alone}
    if len(groups) < FEWEST:
        raise DataError("too few images to try prompts on: two labels with images of two groups each are needed")
    rng = np.random.default_rng(seed)
    waiting = {label: [found[i] for i in rng.permutation(len(found))] for label, found in sorted(groups.items())}
    chosen = _drawn(waiting, size)
    count = len({case.group or case.id for case in chosen})
    notes = [f"{len(chosen)} of {len(cases)} {kind}, in {count} groups, chosen at random (seed {seed})"]
    if alone:
        notes.append(Caution(f"labels left out, because all their images are of one group: {', '.join(alone)}"))
    return PromptSample(tuple(chosen), tuple(notes))


def _drawn(waiting: dict[str, list[list[Case]]], size: int) -> list[Case]:
    """Takes groups of the label that lacks most; a group too large for what is left only if its label needs it."""
    total = {label: sum(map(len, found)) for label, found in waiting.items()}
    share = {label: n / sum(total.values()) for label, n in total.items()}
    chosen: list[Case] = []
    taken, units = Counter[str](), Counter[str]()
    while any(waiting.values()):
        open_ = [label for label, found in waiting.items() if found]
        needing = [label for label in open_ if units[label] < FEWEST]
        if not needing and len(chosen) >= size:
            break
        label = max(needing or open_, key=lambda one: share[one] * size - taken[one])
        group = waiting[label].pop()
        if len(chosen) + len(group) <= size or units[label] < FEWEST:
            chosen += group
            taken[label] += len(group)
            units[label] += 1
    return chosen


def _labelled(cases: Sequence[Case]) -> tuple[Case, ...]:
    return tuple({case.id: case for case in cases if case.label is not None and case.split != "test"}.values())


def _by_label(cases: Sequence[Case]) -> dict[str, list[list[Case]]]:
    """Groups by the label that most of their cases have."""
    together: dict[str, list[Case]] = {}
    for case in cases:
        together.setdefault(case.group or case.id, []).append(case)
    found: dict[str, list[list[Case]]] = {}
    for group in together.values():
        label = Counter(str(case.label) for case in group).most_common(1)[0][0]
        found.setdefault(label, []).append(group)
    return found
