"""A download that is not complete yet: ``NAME.part``, and beside it which version of the file it is a part of."""

from pathlib import Path
from typing import BinaryIO

import httpx2

from doubleread.core.errors import FileError
from doubleread.core.safe_files import read_text
from doubleread.evals.public.disk import writing


class Part:
    """What has come of a file, kept between runs."""

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
