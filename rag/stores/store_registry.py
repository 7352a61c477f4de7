"""The registry of case stores."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from doubleread.core.errors import StoreError
from doubleread.core.ports import CaseStore
from doubleread.core.registry import PartRow, Registry

if TYPE_CHECKING:
    from doubleread.rag.stores.archive import Archive

_HERE = "doubleread.rag.stores.store_registry"


@dataclass(frozen=True)
class StorePlace:
    """Arguments for opening a store."""

    own: "Archive"
    """The open archive in the panel's folder. A store elsewhere receives the cases of it that it lacks."""
    url: str = ""
    """``retrieval.url``."""
    collection: str = "cases"
    """``retrieval.collection``."""


class OpensStore(Protocol):
    """Opens the store that a panel searches and adds confirmed cases to; raises ``StoreError``."""

    def __call__(self, place: StorePlace) -> CaseStore: ...


STORES = Registry(
    "case store",
    "doubleread.stores",
    {
        "chroma": f"{_HERE}:indexed",
        "chroma-server": PartRow(f"{_HERE}:on_server", {"server"}),
        "exact": f"{_HERE}:exact",
    },
)


def indexed(place: StorePlace) -> CaseStore:
    """Opens the panel's own archive; Chroma answers unfiltered searches when it is faster."""
    return place.own.use_index()


def exact(place: StorePlace) -> CaseStore:
    """Opens the panel's own archive with exact search."""
    return place.own


def on_server(place: StorePlace) -> CaseStore:
    """Opens a collection on a Chroma server."""
    from doubleread.rag.stores.chroma_server import ServerStore  # noqa: PLC0415 - heavy

    if not place.url:
        raise StoreError("the store chroma-server needs an address: set retrieval.url")
    own = place.own
    return ServerStore(place.url, own.fingerprint, dim=own.dim, name=place.collection)
