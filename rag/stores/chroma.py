"""Chroma, in a local folder or on a server. The only module that imports chromadb."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import chromadb
from chromadb.config import Settings
from chromadb.errors import ChromaError

from doubleread.core.errors import StoreError

HNSW = {"hnsw": {"space": "cosine", "ef_construction": 200, "max_neighbors": 32, "ef_search": 200}}
BATCH = 2000
"""Rows in one request: below the limit of every Chroma version."""
_ERRORS = (ChromaError, ValueError, TypeError, RuntimeError, OSError, KeyError, AttributeError)  # last: after closing
_creating = threading.Lock()  # Chroma's registry of clients is not thread-safe


class Chroma:
    """A client that really closes its files and connections. ``where`` names it in errors."""

    def __init__(self, client: Any, where: str) -> None:
        self.where = where
        self._client = client

    @classmethod
    def folder(cls, folder: Path) -> "Chroma":
        """Opens Chroma in this process on a folder with no other writer. Raises ``StoreError``."""
        with mapped("open", str(folder)), _creating:
            return cls(chromadb.PersistentClient(str(folder), settings=_settings()), str(folder))

    @classmethod
    def server(cls, url: str) -> "Chroma":
        """Opens Chroma on a server, such as ``http://localhost:8000``. Raises ``StoreError``."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StoreError(f"{url!r} is no address of a Chroma server; it looks like http://localhost:8000")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with mapped("reach", url), _creating:
            client = chromadb.HttpClient(
                host=parts.hostname, port=port, ssl=parts.scheme == "https", settings=_settings()
            )
            return cls(client, url)

    def collection(self, name: str, metadata: dict[str, Any]) -> Any:
        """Returns the named collection, created with this metadata if missing. The caller must check its metadata."""
        with mapped("open", self.where):
            if name in {found.name for found in self._client.list_collections()}:
                return self._client.get_collection(name, embedding_function=None)
            return self._client.get_or_create_collection(
                name, embedding_function=None, configuration=HNSW, metadata=metadata
            )

    def metadata(self, name: str) -> dict[str, Any]:
        """Returns a collection's current metadata."""
        return dict(self._client.get_collection(name, embedding_function=None).metadata or {})

    def close(self) -> None:
        """Releases files and connections; may be called twice."""
        client, self._client = self._client, None
        if client is not None:
            with _creating:
                client.close()
                _hang_up(client)
            del client
            gc.collect()  # Chroma's objects form reference cycles that keep the database file open


def _hang_up(client: Any) -> None:
    """Closes a client's two connections to its server, which Chroma leaves open."""
    for one in (client, getattr(client, "_admin_client", None)):
        session = getattr(getattr(one, "_server", None), "_session", None)
        if session is not None:
            session.close()


@contextmanager
def mapped(verb: str, where: str) -> Iterator[None]:
    """Converts Chroma's errors to ``StoreError``."""
    try:
        yield
    except _ERRORS as error:
        reason = str(error)[:300] or type(error).__name__
        raise StoreError(f"Chroma at {where} failed to {verb} ({type(error).__name__}: {reason})") from None


def _settings() -> Settings:
    """Returns explicit settings, since Chroma would read a ``.env`` file in the working folder."""
    return Settings(_env_file=None, anonymized_telemetry=False)
