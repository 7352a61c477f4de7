"""How near the nearest case of an archive usually is: an approximate index finds less for what is further away.

Graph indexes are made for queries from among their own rows. Of the ten nearest of a query from elsewhere they may miss
two, so whoever is told that nothing near was found had better look at every case.
"""

import numpy as np

from doubleread.rag.stores.contents import Contents

_SAMPLE = 200
_USUAL = 0.02


def least_usual_similarity(contents: Contents) -> float:
    """The similarity that 98 % of the stored cases exceed with the nearest case outside their own group.

    Measured on 200 cases, the same ones for the same contents; -1 where no case has another.
    """
    rng = np.random.default_rng(len(contents))
    chosen = rng.permutation(len(contents))[:_SAMPLE]
    similarities = contents.embeddings[chosen] @ contents.embeddings.T
    for similarity, position in zip(similarities, chosen.tolist(), strict=True):
        group = contents.rows[position].group
        similarity[position if group is None else contents.members[group]] = -1.0
    return float(np.quantile(similarities.max(axis=1, initial=-1.0), _USUAL)) if len(contents) else -1.0
