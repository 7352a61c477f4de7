"""Which prevalence a panel's probabilities hold under, in words, for the notes of fitting."""

import numpy as np

from doubleread.core.task import Task
from doubleread.core.types import Labels

NEARLY_EQUAL = 1.1
"""Most cases of a label over fewest, up to which the numbers look chosen."""


def implied_prevalence(task: Task, labels: Labels) -> str:
    """What to say of the label shares that the probabilities hold for, ``labels`` being those of the calibration cases.

    Where the task states no prevalence and the labels are equally frequent, somebody probably chose them so, and the
    note asks for the real shares.
    """
    if task.prior:
        return f"probabilities hold for the prevalence that the task states: {_told(task, task.prior_vector())}"
    counts = np.bincount(labels, minlength=len(task.names))
    note = f"probabilities hold for the label shares of the calibration cases: {_told(task, counts / counts.sum())}"
    if counts.max() > max(NEARLY_EQUAL * counts.min(), counts.min() + 1):
        return note
    example = ", ".join(f"{toml_key(name)} = …" for name in task.names[:2]) + (", …" if len(task.names) > 2 else "")
    return (
        f"{note}. The labels are equally frequent, which looks chosen by hand: if real cases are not, state the real "
        f"prevalence in the task file (prior = {{ {example} }}) and fit again"
    )


def _told(task: Task, shares: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    order = np.argsort(-shares, kind="stable")
    return ", ".join(f"{task.names[k]} {100 * shares[k]:.{0 if shares[k] >= 0.1 else 1}f} %" for k in order)


def toml_key(name: str) -> str:
    """A label as a key in TOML."""
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
