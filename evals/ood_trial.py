"""A trial of familiarity: a panel for every label that is left out, before the test cases and images from elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from doubleread.core.case import Case
from doubleread.core.task import Task
from doubleread.core.types import Vector
from doubleread.core.verdict import Unread, Verdict
from doubleread.evals.datasets import Dataset
from doubleread.evals.ood import Mask, Scored
from doubleread.evals.ood_scores import OURS, scores
from doubleread.panel import Panel
from doubleread.panel.image_stream import Readable
from doubleread.settings import Settings


@dataclass(frozen=True)
class Trial:
    """What the panels make of it all, one after another in the order of ``left_out``.

    ``near``: the test cases, those of the left-out label unfamiliar. ``far``: by the kind of the images from
    elsewhere, the familiar test cases and them. ``groups`` are those of the test cases, and ``far_groups`` with the
    images'.
    """

    left_out: tuple[str, ...]
    near: tuple[Scored, ...]
    far: dict[str, tuple[Scored, ...]]
    groups: tuple[str, ...]
    far_groups: dict[str, tuple[str, ...]]


def leave_each_out(dataset: Dataset, elsewhere: Mapping[str, Sequence[Readable]], settings: Settings) -> Trial:
    """Fits on support, learns trust and familiarity from calibration, judges test, once without each label.

    Raises ``ValueError`` for an image that cannot be read.
    """
    tests, labels = [case for case in dataset.cases if case.split == "test"], dataset.task.names
    views = [_without(label, dataset.cases, {"": tests, **elsewhere}, settings) for label in labels]
    groups = tuple(case.group or case.id for case in tests)
    new = [np.array([case.label == label for case in tests]) for label in labels]
    return Trial(
        left_out=labels,
        near=tuple(Scored(v[""].scores, ~n, n, v[""].alarm) for v, n in zip(views, new, strict=True)),
        far={kind: tuple(_far(v[""], v[kind], n) for v, n in zip(views, new, strict=True)) for kind in elsewhere},
        groups=groups,
        far_groups={kind: (*groups, *map(_group, range(len(images)), images)) for kind, images in elsewhere.items()},
    )


@dataclass(frozen=True)
class _View:
    """One panel's scores of some images, by each method, and its alarms."""

    scores: dict[str, Vector]
    alarm: Mask


def _without(
    label: str, cases: Sequence[Case], shown: Mapping[str, Sequence[Readable]], settings: Settings
) -> dict[str, _View]:
    """What a panel that never met ``label`` makes of each kind of images."""
    known = [case for case in cases if case.label != label and case.split != "test"]
    task = Task.of("known-labels", sorted({str(case.label) for case in known}))
    with Panel.fit(known, task, settings=settings) as panel:
        agents = tuple(p.agent for p in panel.profiles if p.confidence_source is not None and p.round == 1)
        return {kind: _view(_verdicts(panel, images), agents, task) for kind, images in shown.items()}


def _view(verdicts: Sequence[Verdict], agents: Sequence[str], task: Task) -> _View:
    judged = [v.familiarity for v in verdicts if v.familiarity is not None]
    if len(judged) < len(verdicts):
        raise ValueError("a case without evidence and without an opinion cannot be scored")
    ours = np.array([one.score for one in judged])
    return _View({OURS: ours, **scores(verdicts, agents, task)}, np.array([one.alarm for one in judged]))


def _far(near: _View, far: _View, new: Mask) -> Scored:
    """The familiar test cases and the images from elsewhere; cases of the left-out label are neither."""
    elsewhere = np.concatenate([np.zeros(len(new), dtype=bool), np.ones(len(far.alarm), dtype=bool)])
    return Scored(
        scores={name: np.concatenate([near.scores[name], far.scores[name]]) for name in near.scores},
        familiar=np.concatenate([~new, np.zeros(len(far.alarm), dtype=bool)]),
        unfamiliar=elsewhere,
        alarm=np.concatenate([near.alarm, far.alarm]),
    )


def _verdicts(panel: Panel, images: Sequence[Readable]) -> list[Verdict]:
    found = list(panel.diagnose_many(images))
    if unread := [one for one in found if isinstance(one, Unread)]:
        raise ValueError(f"{unread[0].source} cannot be read: {unread[0].problem}")
    return [one for one in found if isinstance(one, Verdict)]


def _group(number: int, image: Readable) -> str:
    return image.group or image.id if isinstance(image, Case) else f"elsewhere-{number}"
