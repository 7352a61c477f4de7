"""The case stores there are."""

from doubleread.core.registry import Registry

STORES = Registry(
    "case store",
    "doubleread.stores",
    {
        "chroma": "doubleread.rag.stores.archive:Archive",
        "chroma-server": "doubleread.rag.stores.chroma_server:ServerStore",
        "exact": "doubleread.rag.stores.exact:ExactStore",
    },
)
