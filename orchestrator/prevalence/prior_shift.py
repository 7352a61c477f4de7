"""The label shares that a posterior assumes, and the posterior under others."""

from collections.abc import Mapping

import numpy as np

from doubleread.core.errors import TaskError
from doubleread.core.notices import Caution
from doubleread.core.task import Task
from doubleread.core.types import Labels, Vector
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.learning.arbitration import PANEL


def prior_in_force(arbiter: Arbiter) -> Vector:
    """Prior of the arbiter's posteriors, shape ``(n_labels,)``.

    The task's prior or, without one, the label shares of the calibration cases, an absent label counted as half a case.
    """
    profile = arbiter.profile(PANEL)
    if arbiter.task.prior or profile is None:
        return arbiter.task.prior_vector()
    counts = np.maximum(np.array(profile.confusion, dtype=float).sum(axis=1), 0.5)
    return np.asarray(counts / counts.sum())


def prevalence_with(task: Task, prior: Vector, stated: Mapping[str, float]) -> Vector:
    """``prior`` with the stated shares; the other labels keep their proportions. Shape ``(n_labels,)``.

    Raises ``TaskError`` for an unknown label, a share not between 0 and 1, or shares that do not leave room for the
    other labels (or do not sum to 1, if there are none).
    """
    stated = {task.named(name): share for name, share in stated.items()}
    for name, share in stated.items():
        if not 0 < share < 1:
            raise TaskError(f"the prevalence of {name!r} is {share}: it is a share, between 0 and 1")
    others = np.array([name not in stated for name in task.names])
    left = 1 - sum(stated.values())
    if (left <= 1e-9) if others.any() else (abs(left) > 1e-6):
        wanted = "less than 1, for there are other labels" if others.any() else "1, for they are all labels"
        raise TaskError(f"prevalences {dict(stated)} sum to {sum(stated.values()):g}; they must sum to {wanted}")
    kept = left * prior / prior[others].sum() if others.any() else prior
    return np.array([stated.get(name, float(kept[k])) for k, name in enumerate(task.names)])


def shifted(posterior: Vector, prior: Vector, prevalence: Vector) -> Vector:
    """Shifts a posterior from ``prior`` to ``prevalence``, all of shape ``(n_labels,)``.

    Bayes' rule, unchanged likelihoods: p' ∝ p * prevalence / prior (Saerens, Latinne and Decaestecker 2002, eq. 2.4).
    """
    moved = posterior * prevalence / prior
    return np.asarray(moved / moved.sum())


NEARLY_EQUAL = 1.1
"""Largest ratio of label counts, most to fewest, that looks chosen by hand."""


def implied_prevalence(task: Task, labels: Labels) -> str:
    """Note on the label shares that the probabilities assume; ``labels`` are those of the calibration cases.

    If no prevalence is stated and labels are equally frequent, probably by selection, it asks for the real shares.
    """
    if task.prior:
        return f"the probabilities assume the label shares that the task states: {_told(task, task.prior_vector())}"
    counts = np.bincount(labels, minlength=len(task.names))
    note = f"the probabilities assume the label shares of the calibration images: {_told(task, counts / counts.sum())}"
    if counts.max() > max(NEARLY_EQUAL * counts.min(), counts.min() + 1):
        return note
    example = ", ".join(f"{toml_key(name)} = …" for name in task.names[:2]) + (", …" if len(task.names) > 2 else "")
    return Caution(
        f"{note}. All labels are equally frequent here. If they are not where the panel is used, state the real "
        f"shares in a task file (prior = {{ {example} }}) and fit again"
    )


def _told(task: Task, shares: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    order = np.argsort(-shares, kind="stable")
    return ", ".join(f"{task.names[k]} {100 * shares[k]:.{0 if shares[k] >= 0.1 else 1}f} %" for k in order)


def toml_key(name: str) -> str:
    """Quotes a label as a TOML key if needed."""
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
