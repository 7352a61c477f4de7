"""Folders that appear under their name whole or not at all, and replace what was there in one step.

A draft is written beside its target, under a name that begins with a dot. Its process holds a lock on it, so that
drafts of killed processes can be told from those that are being written; the next process removes them.
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
"""Ends the name of what is being replaced, where the system cannot exchange two folders in one step."""
_LINUX_EXCHANGE, _MAC_SWAP, _HERE = 2, 2, -100


@contextmanager
def drafted(target: Path) -> Iterator[Path]:
    """An empty folder to write into; at the end of the block it is synced and takes the place of ``target``.

    Where the block raises, ``target`` is as it was. Raises ``FileError`` where the disk refuses.
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
    """Removes what killed processes left beside ``target``; where a replacement was cut short, it is undone first.

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
    """Puts a folder in the place of another; what was there is then under the draft's name, or gone.

    In one step on Linux and macOS. Elsewhere there is a moment without a folder of that name, which ``clear_drafts``
    mends after a crash. Raises ``OSError``.
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
    """A new draft and its lock; another process may have cleared it away before it was locked."""
    for _ in range(10):
        draft = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
        lock = _lock(draft)
        if draft.exists():
            return draft, lock
        if lock is not None:
            os.close(lock)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def _exchanged(one: Path, other: Path) -> bool:
    """Whether the system could exchange two names in one step, and did."""
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
    """A descriptor that holds the folder's lock; None where another process holds it, or folders cannot be locked."""
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
