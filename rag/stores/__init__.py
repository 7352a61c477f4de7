"""Case stores hold labelled cases and their embeddings. Each is loaded only when chosen."""

from doubleread.rag.stores.store_registry import STORES, StorePlace
from doubleread.rag.stores.stored_rows import Exported

__all__ = ["STORES", "Exported", "StorePlace"]
