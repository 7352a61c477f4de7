"""Which retrieved cases a second look is shown: the nearest of every contested label, in turn."""

from collections.abc import Iterable
from itertools import zip_longest

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence, Neighbour


def choose_references(evidence: Evidence, most: int) -> list[Case]:
    """At most ``most`` stored cases with a picture: every contested label's nearest first, then every second one's…

    Without contested labels, those of the retrieved cases. Labels take turns, so that the number of references says
    nothing about which label is right.
    """
    pool = {n.case_id: n for n in (*evidence.contrast, *evidence.neighbours) if n.path is not None}
    labels = evidence.contested or tuple(dict.fromkeys(n.label for n in evidence.neighbours))
    of_label = [_nearest(pool.values(), label) for label in labels]
    in_turn = [n for row in zip_longest(*of_label) for n in row if n is not None]
    return [Case(id=n.case_id, path=n.path, label=n.label) for n in in_turn[:most]]


def _nearest(pool: Iterable[Neighbour], label: str) -> list[Neighbour]:
    return sorted((n for n in pool if n.label == label), key=lambda n: -n.similarity)
