"""What the gallery knows of each case: enough to sort and filter by, a few bytes each."""

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from doubleread.core.types import Json, Labels, Matrix
from doubleread.evals.metrics.evaluation import PANEL
from doubleread.evals.metrics.run_columns import NONE, RunColumns, leading
from doubleread.evals.report._packs import CARDS_A_BLOCK, PICTURES_A_BLOCK, Packs
from doubleread.orchestrator.metrics import Flags
from doubleread.orchestrator.simplex import spoken


class Mark(NamedTuple):
    """Something that is true of some cases, which one can filter by."""

    key: str
    icon: str
    name: str
    told: str


MARKS = (
    Mark("wrong", "✗", "wrong", "the most probable label is not the true one, whether the panel committed or not"),
    Mark("sure", "‼", "wrong and sure", "wrong with a confidence above {threshold:g}"),
    Mark("slipped", "⚠", "wrong and committed", "wrong, and not referred to a person"),
    Mark("referred", "⚑", "referred", "referred to a person"),
    Mark("disagree", "⇄", "agents disagree", "the agents’ last answers name more than one label"),
    Mark("looked", "↻", "second look", "the panel took a second look"),
    Mark("helped", "↗", "helped", "wrong before the second look, right after it"),
    Mark("harmed", "↘", "harmed", "right before the second look, wrong after it"),
    Mark("unfamiliar", "◇", "unfamiliar", "unlike the calibration images"),
    Mark("leaked", "≈", "near copy", "nearly the same picture as one in the panel’s archive"),
    Mark("outside", "∉", "outside the set", "the true label is not in the prediction set"),
    Mark("silent", "–", "answer missing", "at least one agent gave no answer here, but did for other cases"),
    Mark("unlabelled", "?", "no true label", "whether the answer is right is not known"),
    Mark("unread", "∅", "not read", "the image could not be read"),
    Mark("right", "✓", "right", "the most probable label is the true one"),
    Mark("committed", "●", "committed", "the panel decided, without a person"),
)
"""In the order of their bits."""


def marked(columns: RunColumns, threshold: float) -> dict[str, Flags]:
    """Which mark is on which case with a verdict, each of shape ``(n,)``."""
    known, said, before = columns.labelled, columns.said, leading(columns.before)
    right = known & (said == columns.labels)
    wrong = known & ~right
    committed = columns.committed != NONE
    both = columns.looked & known & (before != NONE)
    last = [agent.last_label for agent in columns.agents.values()]
    spoke_somewhere = [label for label in last if (label != NONE).any()]
    inside = columns.sets[np.arange(columns.n), np.where(known, columns.labels, 0)]
    nobody = np.zeros(columns.n, bool)
    return {
        "wrong": wrong,
        "sure": wrong & (_confidence(columns.posterior) > threshold),
        "slipped": known & committed & (columns.committed != columns.labels),
        "referred": ~committed,
        "disagree": _disagreeing(last, columns.n),
        "looked": columns.looked,
        "helped": both & (before != columns.labels) & right,
        "harmed": both & (before == columns.labels) & wrong,
        "unfamiliar": columns.alarm,
        "leaked": columns.leaked,
        "outside": known & ~inside,
        "silent": np.any([label == NONE for label in spoke_somewhere], axis=0) if spoke_somewhere else nobody,
        "unlabelled": ~known,
        "unread": nobody,
        "right": right,
        "committed": committed,
    }


def facts(columns: RunColumns, packs: Packs, marks: dict[str, Flags], labels: tuple[str, ...]) -> Json:
    """Columns as lists, cases with a verdict first and those without after them; -1 stands for nothing."""
    readers = {PANEL: columns.posterior} | {name: a.calibrated_first for name, a in columns.agents.items()}
    readers = {name: p for name, p in readers.items() if name == PANEL or spoken(p).any()}
    rest = len(packs.unread)
    bits = sum(flags.astype(np.int64) << i for i, flags in enumerate(marks[mark.key] for mark in MARKS))
    unread_bit = 1 << [mark.key for mark in MARKS].index("unread")
    true = columns.posterior[np.arange(columns.n), np.where(columns.labelled, columns.labels, 0)]
    return {
        "labels": labels,
        "readers": list(readers),
        "marks": [mark.key for mark in MARKS],
        "icons": [mark.icon for mark in MARKS],
        "names": [*columns.sources, *(source for *_, source in packs.unread)],
        "ids": _addresses([*columns.ids, *(key for _, _, key, _ in packs.unread)]),
        "truth": [*columns.labels.tolist(), *[NONE] * rest],
        "said": [[*leading(p).tolist(), *[NONE] * rest] for p in readers.values()],
        "sure": [[*_rounded(_confidence(p)), *[NONE] * rest] for p in readers.values()],
        "chance": [*_rounded(np.where(columns.labelled, true, np.nan)), *[NONE] * rest],
        "bits": [*np.asarray(bits).tolist(), *[unread_bit] * rest],
        "seconds": [*map(_significant, columns.seconds), *[NONE] * rest],
        "cost": [*map(_significant, columns.cost), *[NONE] * rest],
        "columns": {name: _coded(values, rest) for name, values in columns.subgroups.items() if len(set(values)) > 1},
        "cards": [card for card, *_ in (*packs.read, *packs.unread)],
        "pictures": [picture for _, picture, *_ in (*packs.read, *packs.unread)],
        "cards_a_block": CARDS_A_BLOCK,
        "pictures_a_block": PICTURES_A_BLOCK,
    }


def _addresses(ids: list[str]) -> list[str]:
    """What a link names a case by: short, and each its own, for a run may hold a picture twice."""
    seen = Counter[str]()
    made = []
    for one in ids:
        short = one[:12]
        seen[short] += 1
        made.append(short if seen[short] == 1 else f"{short}-{seen[short]}")
    return made


def _coded(values: tuple[str, ...], rest: int) -> Json:
    names = sorted(set(values))
    place = {name: i for i, name in enumerate(names)}
    return {"values": names, "of": [*(place[value] for value in values), *[NONE] * rest]}


def _disagreeing(last: list[Labels], n: int) -> Flags:
    if not last:
        return np.zeros(n, bool)
    named = np.array(last)
    highest = named.max(axis=0)
    lowest = np.where(named == NONE, np.iinfo(np.int64).max, named).min(axis=0)
    return np.asarray((highest != NONE) & (lowest != highest))


def _confidence(p: Matrix) -> NDArray[np.float64]:
    there = spoken(p)
    return np.where(there, np.where(there[:, None], p, 0).max(axis=1), np.nan)


def _rounded(shares: NDArray[np.float64]) -> list[float]:
    return [NONE if np.isnan(share) else round(float(share), 6) for share in shares]


def _significant(amount: float) -> float:
    return float(f"{amount:.8g}")
