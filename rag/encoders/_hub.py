"""Weights on the Hugging Face hub: taken from the local cache, or downloaded on request, with a bounded wait."""

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

from doubleread.core.errors import WeightsMissing

PROBE_SECONDS = 3.0
_offline_guard = threading.Lock()


def cached(repo: str, names: Sequence[str]) -> Path | None:
    """Returns the first of these files of a repository that is in the local cache."""
    for name in names:
        found = try_to_load_from_cache(repo, name)
        if isinstance(found, str | os.PathLike):
            return Path(found)
    return None


def fetch(repo: str, names: Sequence[str], *, download: bool) -> Path:
    """Returns the first of these files found in the cache or, with ``download``, on the hub.

    Raises ``WeightsMissing``, with the command that downloads it, instead of waiting for a hub that does not respond.
    """
    found = cached(repo, names)
    if found is not None:
        return found
    if not download:
        raise _missing(repo, names, "are not on this machine")
    if not reachable(constants.ENDPOINT):
        raise _missing(repo, names, f"are not on this machine and {constants.ENDPOINT} does not answer")
    problem: Exception | None = None
    for name in names:
        try:
            return Path(hf_hub_download(repo, name))
        except (OSError, ValueError, RuntimeError) as error:  # the hub's errors derive from these
            problem = error
    raise _missing(repo, names, f"could not be downloaded ({str(problem)[:200]})") from None


def reachable(url: str, seconds: float = PROBE_SECONDS) -> bool:
    """Whether the host of ``url``, or the proxy for it, accepts a connection within ``seconds``."""
    parts = urlsplit(getproxies().get(urlsplit(url).scheme) or url)
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    answered = threading.Event()

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=seconds).close()
        except OSError:
            return
        answered.set()

    # In its own thread: a broken resolver can take 50 s, and socket timeouts do not limit it.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    return answered.is_set()


@contextmanager
def offline(active: bool = True) -> Iterator[None]:
    """Context in which the hub's libraries use the cache only, so that nothing waits for a network."""
    with _offline_guard:
        before = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = before or active
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = before


def _missing(repo: str, names: Sequence[str], what: str) -> WeightsMissing:
    return WeightsMissing(
        f"the weights {repo} {what}. Download them where there is a connection: hf download {repo} {names[0]}\n"
        "(or allow it with download=True), copy the cache folder here (HF_HOME), or use efficientnet-lite0"
    )
