"""One file from the network into its ``Part``: resumed where the server allows, from the beginning where not."""

import re
from pathlib import Path
from typing import BinaryIO

import httpx2

from doubleread.core.errors import DataError, FileError
from doubleread.core.progress import Progress
from doubleread.core.safe_files import read_text
from doubleread.evals.public._disk import check_room, writing
from doubleread.evals.public._public_dataset import PublicFile
from doubleread.evals.public._transport import get

MAX_BYTES = 4_000_000_000
"""Of a file whose size is not known."""
_PAGE = "{url} returns a web page instead of the file; check whether this network has a login page"
_PAGES = (b"<!doctype html", b"<html")


class Part:
    """What has come of a file, kept between runs: ``NAME.part``, and beside it which version of the file it is."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._version = target.with_name(f"{target.name}.part-version")
        self._target = target

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    def headers(self) -> dict[str, str]:
        """Ask for the rest, and for all of it where the file has changed since (RFC 9110, If-Range).

        Nothing where no part is there, or the server never said which version it was.
        """
        try:
            version = read_text(self._version, limit=1000)
        except FileError:
            version = ""
        return {"Range": f"bytes={self.size}-", "If-Range": version} if version and self.size else {}

    def open(self, response: httpx2.Response) -> BinaryIO:
        """The file to write the answer into: at its end where the answer is the rest, else at a new beginning."""
        if response.status_code == httpx2.codes.PARTIAL_CONTENT:
            return self.path.open("ab")
        self.drop()
        with writing(self._version):
            self._version.write_text(_version(response), encoding="utf-8")
        return self.path.open("wb")

    def complete(self) -> None:
        """It becomes the file."""
        self.path.replace(self._target)
        self.drop()

    def drop(self) -> None:
        """Nothing of it is kept."""
        self.path.unlink(missing_ok=True)
        self._version.unlink(missing_ok=True)


def _version(response: httpx2.Response) -> str:
    """A name of this version that the server will know again; a weak ETag is none (RFC 9110, 13.1.5)."""
    etag: str = response.headers.get("etag", "")
    return etag if etag.startswith('"') else str(response.headers.get("last-modified", ""))


class _NotTheFile(DataError):
    """What comes is something else: none of it is kept."""


def download(file: PublicFile, part: Part, report: Progress) -> None:
    """Brings the file into its part; nothing says yet that it is the right one.

    ``report`` is told the file's name, the bytes that have come, and those of the whole (0: the server does not say).

    Raises ``DataError`` for what ``get`` raises, a web page instead of data, another size than that of ``file``,
    more than ``MAX_BYTES``, an answer that ends early (what came is kept), and a full disk.
    """
    try:
        if not _attempt(file, part, part.headers(), report):
            part.drop()
            _attempt(file, part, {}, report)
    except _NotTheFile:
        part.drop()
        raise


def _attempt(file: PublicFile, part: Part, headers: dict[str, str], report: Progress) -> bool:
    """False where the server cannot go on from where the part ends."""
    with get(file.url, headers) as response:
        if headers and not _goes_on(response, part.size):
            return False
        done = part.size if response.status_code == httpx2.codes.PARTIAL_CONTENT else 0
        total = _total(file, response, done)
        check_room(part.path.parent, total - done)
        _receive(file, part, response, report, done, total)
    if part.size < total:
        raise DataError(f"{file.url} ended after {part.size:,} of {total:,} bytes; run the command again to resume")
    return True


def _goes_on(response: httpx2.Response, size: int) -> bool:
    """Whether this is the whole file, or its rest from there."""
    if response.status_code == httpx2.codes.PARTIAL_CONTENT:
        found = re.match(r"bytes ([0-9]{1,15})-", response.headers.get("content-range", ""))
        return found is not None and int(found[1]) == size
    return response.status_code == httpx2.codes.OK


def _total(file: PublicFile, response: httpx2.Response, done: int) -> int:
    """Bytes the whole will have, 0 where nobody knows; refuses what is plainly not the file."""
    if not done and response.status_code != httpx2.codes.OK:
        raise DataError(f"{file.url} answers HTTP {response.status_code}; try again later")
    if response.headers.get("content-type", "").startswith("text/html"):
        raise DataError(_PAGE.format(url=file.url))
    if response.headers.get("content-encoding", "identity") != "identity":
        raise DataError(f"{file.url} arrives compressed, although that was declined; a proxy probably changes it")
    length = response.headers.get("content-length", "0")
    if not re.fullmatch("[0-9]{1,15}", length):
        raise DataError(f"{file.url} gives an impossible size: {length[:40]!r}")
    offered = int(length) + done
    if file.size is not None and offered not in (done, file.size):
        raise DataError(f"{file.url} has {offered:,} bytes, not {file.size:,}; the file has been changed")
    if offered > MAX_BYTES:
        raise _too_large(file)
    return file.size or offered


def _receive(file: PublicFile, part: Part, response: httpx2.Response, report: Progress, done: int, total: int) -> None:
    limit = file.size or MAX_BYTES
    with writing(part.path), part.open(response) as out:
        for chunk in response.iter_raw():
            if not done and chunk.lstrip()[:14].lower().startswith(_PAGES):
                raise _NotTheFile(_PAGE.format(url=file.url))
            done += len(chunk)
            if done > limit:
                raise _too_large(file)
            out.write(chunk)
            report(file.name, done, total)


def _too_large(file: PublicFile) -> DataError:
    return _NotTheFile(
        f"{file.url} has more than {file.size or MAX_BYTES:,} bytes, so it is not the expected file; nothing was kept"
    )
