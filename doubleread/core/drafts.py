"""Writes folders atomically: they appear complete or not at all, and replace an older folder in one step.

A draft is written beside its target, under a name that begins with a dot. Its process holds a lock on it, which tells
drafts in progress from those of killed processes; the next process removes the latter.
"""

import ctypes
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from doubleread.core.durable import sync_folder, sync_tree, told

_OLD = "-old"
"""Suffix of a folder that is being replaced on systems that cannot exchange two folders in one step."""
_LINUX_EXCHANGE, _MAC_SWAP, _HERE = 2, 2, -100


@contextmanager
def drafted(target: Path) -> Iterator[Path]:
    """Yields an empty folder to write into; at the end of the block it is synced and replaces ``target``.

    If the block raises, ``target`` stays as it was. Raises ``FileError`` if the disk fails.
    """
    target = Path(os.path.realpath(target))
    kept = f"{target} is as it was" if target.exists() else "nothing was written"
    with told(target, kept):
        target.parent.mkdir(parents=True, exist_ok=True)
        clear_drafts(target)
        draft, lock = _begin(target)
    try:
        with told(target, kept):
            draft.chmod(0o755)
            yield draft
            sync_tree(draft)
            replace_folder(target, draft)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def clear_drafts(target: Path) -> None:
    """Removes drafts of killed processes beside ``target`` and undoes interrupted replacements.

    Drafts that another process is writing stay.
    """
    target = Path(os.path.realpath(target))
    for left in sorted(target.parent.glob(f"{_escaped(_prefix(target))}*")):
        lock = _lock(left)
        if lock is None:
            continue
        with suppress(OSError):
            if left.name.endswith(_OLD) and not target.exists():
                left.rename(target)
            else:
                shutil.rmtree(left, ignore_errors=True)
        os.close(lock)


def replace_folder(target: Path, draft: Path) -> None:
    """Replaces ``target`` by ``draft``; the old folder then has the draft's name, or is deleted.

    On Linux and macOS this is one step. Elsewhere ``target`` is briefly missing, which ``clear_drafts`` repairs after a
    crash. Raises ``OSError``.
    """
    if not target.exists():
        draft.rename(target)
    elif not _exchanged(draft, target):
        old = draft.with_name(draft.name + _OLD)
        target.rename(old)
        try:
            draft.rename(target)
        except OSError:
            old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    sync_folder(target.parent)


def _begin(target: Path) -> tuple[Path, int | None]:
    """Creates a draft and locks it; retries if another process removes it before it is locked."""
    for _ in range(10):
        draft = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
        lock = _lock(draft)
        if draft.exists():
            return draft, lock
        if lock is not None:
            os.close(lock)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def _exchanged(one: Path, other: Path) -> bool:
    """Exchanges two names in one step; returns whether the system supports it."""
    try:
        system = ctypes.CDLL(None, use_errno=True)
        names = os.fsencode(one), os.fsencode(other)
        if sys.platform == "linux":
            return bool(system.renameat2(_HERE, names[0], _HERE, names[1], _LINUX_EXCHANGE) == 0)
        if sys.platform == "darwin":
            return bool(system.renamex_np(*names, _MAC_SWAP) == 0)
    except (OSError, AttributeError, TypeError):  # an old C library
        return False
    return False


def _prefix(target: Path) -> str:
    return f".{target.name}.draft-"


def _escaped(name: str) -> str:
    return "".join(f"[{one}]" if one in "*?[" else one for one in name)


def _lock(folder: Path) -> int | None:
    """Returns a descriptor that holds the folder's lock; None if another process holds it or locking is unsupported."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
