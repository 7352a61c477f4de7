"""The case stores there are."""

from doubleread.core.registry import Registry

STORES = Registry(
    "case store",
    "doubleread.stores",
    {
        "chroma": "doubleread.rag.stores.chroma:ChromaStore",
        "exact": "doubleread.rag.stores.exact:ExactStore",
    },
)
