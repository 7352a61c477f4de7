"""Case stores: labelled cases and their embeddings. Each is loaded only when chosen."""

from doubleread.rag.stores.rows import Exported
from doubleread.rag.stores.table import STORES

__all__ = ["STORES", "Exported"]
