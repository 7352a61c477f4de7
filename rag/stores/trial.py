"""Tries an index in a process of its own: a damaged one may crash it.

Reads ``{"folder", "ids", "rows"}`` as JSON; exit code 0 where every row is found by its own embedding.
"""

import json
import sys
from pathlib import Path

import numpy as np

from doubleread.rag.stores.chroma import Chroma

_SAME = 1e-3


def main() -> int:
    """See the module."""
    told = json.load(sys.stdin)
    chroma = Chroma.folder(Path(told["folder"]))
    try:
        cases = chroma.collection("cases", {})
        for row in np.array(told["rows"], np.float32):
            found = cases.query(query_embeddings=row[None], n_results=1, include=["distances"])
            if not found["ids"][0] or abs(found["distances"][0][0]) > _SAME:
                return 1
    finally:
        chroma.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
