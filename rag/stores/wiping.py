"""The indexes of an archive, thrown away so that they are built again from the ledger when they are next wanted.

Chroma only marks what is deleted: its files still hold the embeddings of erased cases.
"""

import shutil
from pathlib import Path

from doubleread.core.errors import StoreBusy
from doubleread.core.folder_lock import LOCK_NAME, FolderLock


def wipe_indexes(root: Path) -> bool:
    """Wipes the index of every encoder in ``root``; False where another process holds one. Links are not followed."""
    if root.is_symlink():
        return True
    held = [folder for folder in root.glob("*") if not wipe_index(folder)]
    return not held


def wipe_index(folder: Path) -> bool:
    """Wipes one index, if there is one; False where another process holds it."""
    if folder.is_symlink() or not folder.is_dir():
        return True
    try:
        lock = FolderLock(folder, shared=False)
    except StoreBusy:
        return False
    try:
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != LOCK_NAME:
                entry.unlink()
    finally:
        lock.release()
    return True
