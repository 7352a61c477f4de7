"""Images that exist only as bytes inside a data set, written once to a folder so that they have a path."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs

from doubleread.core.errors import DataError


class KeptImages:
    """A folder of images by the sha256 of their bytes; by default in the user's cache folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or platformdirs.user_cache_path("doubleread") / "images"

    def path_of(self, image: Any) -> Path:
        """The file of an image as ``datasets`` stores it, ``{"bytes": …, "path": …}``, written if need be.

        Raises ``DataError`` where there is neither, or the folder cannot be written to.
        """
        if not isinstance(image, Mapping) or not (image.get("bytes") or image.get("path")):
            raise DataError("there is no image in this row")
        path = Path(image.get("path") or "")
        return self._keep(image["bytes"], path.suffix.lower()) if image.get("bytes") else path

    def _keep(self, data: bytes, suffix: str) -> Path:
        digest = hashlib.sha256(data).hexdigest()
        file = self.folder / digest[:2] / f"{digest}{suffix}"
        try:
            if not (file.is_file() and file.stat().st_size == len(data)):
                _write(file, data)
        except OSError as error:
            raise DataError(f"cannot write the image to {file}: {error.strerror or error}") from None
        return file


def _write(file: Path, data: bytes) -> None:
    """All of it or nothing, also where several processes write the same image."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
