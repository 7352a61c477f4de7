"""A zip archive into a folder, and nowhere else: no way out of it, no links, no more than is bearable."""

import stat
import zlib
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from doubleread.core.errors import DataError
from doubleread.evals.public._disk import check_room, writing

MAX_FILES = 100_000
MAX_BYTES = 8_000_000_000
_CHUNK = 1 << 20


def unpack(archive: Path, folder: Path) -> int:
    """How many files were written; those that are there already and the same are left alone.

    The whole archive is judged before anything is written. Raises ``DataError`` for an archive that is broken or
    encrypted, leads out of the folder, holds links or too much, or would replace a file that is another one.
    """
    try:
        with ZipFile(archive) as opened:
            members = [info for info in opened.infolist() if not info.is_dir()]
            _judge(archive, opened.infolist())
            missing = [info for info in members if not _is_there(opened, info, folder)]
            check_room(folder, sum(info.file_size for info in missing))
            for info in missing:
                _place(opened, info, folder)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{archive} cannot be unpacked ({error}); delete it and fetch it again") from None
    return len(missing)


def _judge(archive: Path, members: list[ZipInfo]) -> None:
    if len(members) > MAX_FILES or sum(info.file_size for info in members) > MAX_BYTES:
        raise DataError(
            f"{archive} contains more than {MAX_FILES:,} files or {MAX_BYTES:,} bytes, so it was not unpacked"
        )
    for info in members:
        if _leads_out(info.filename):
            raise DataError(f"{archive} contains {info.filename!r}, a path outside the folder, so it was not unpacked")
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DataError(f"{archive} contains {info.filename!r}, a link or device, so it was not unpacked")


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts


def _is_there(opened: ZipFile, info: ZipInfo, folder: Path) -> bool:
    """Whether the file is there as it should be; raises where another one is in its place."""
    target = folder / info.filename
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{target.parent} is a link to a place outside {folder}; remove it, or choose another -o")
    if not target.exists() and not target.is_symlink():
        return False
    if not _same(opened, info, target):
        raise DataError(f"{target} exists and is a different file; move it away, or choose another -o")
    return True


def _same(opened: ZipFile, info: ZipInfo, target: Path) -> bool:
    if target.is_symlink() or not target.is_file() or target.stat().st_size != info.file_size:
        return False
    with opened.open(info) as wanted, target.open("rb") as found:
        return all(block == found.read(len(block)) for block in iter(lambda: wanted.read(_CHUNK), b""))


def _place(opened: ZipFile, info: ZipInfo, folder: Path) -> None:
    """Under another name first: an interruption leaves no half file that looks whole."""
    target = folder / info.filename
    part = target.with_name(f"{target.name}.part")
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(info) as source, part.open("wb") as out:
            for block in iter(lambda: source.read(_CHUNK), b""):
                out.write(block)
    part.replace(target)
