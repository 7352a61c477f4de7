"""The index of an archive, thrown away so that it is built again from the ledger when it is next wanted."""

import shutil
from pathlib import Path

from doubleread.core.errors import StoreBusy
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.lock import LOCK_NAME, FolderLock


def clear_indexes(archive: Archive, number: int | None = None) -> bool:
    """Clears the index of one encoder, or of all; False where another process holds one.

    Chroma only marks what is deleted: its files still hold the embeddings of erased cases.
    """
    root = archive.folder / "index"
    folders = sorted(root.iterdir()) if number is None and root.is_dir() else [root / str(number)]
    done = [_cleared(folder) for folder in folders if folder.is_dir()]
    return all(done)


def _cleared(folder: Path) -> bool:
    try:
        lock = FolderLock(folder, shared=False)
    except StoreBusy:
        return False
    try:
        for entry in folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != LOCK_NAME:
                entry.unlink()
    finally:
        lock.release()
    return True
