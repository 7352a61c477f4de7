"""``Dataset`` and ``DatasetDict`` of Hugging Face's ``datasets``, given in Python or saved on disk.

Only what was saved on disk needs the package; a data set that is given brings its own classes.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, Self

import platformdirs

from doubleread.core.case import RowProblem
from doubleread.core.errors import DataError
from doubleread.core.notices import Caution
from doubleread.evals.datasets._dataset_record import LabelledCases, RowProgress
from doubleread.evals.datasets._dataset_rows import DatasetRow, gather
from doubleread.evals.datasets._groups import RowKeys
from doubleread.evals.datasets._text_table import as_text
from doubleread.evals.datasets.manifest_dataset import manifest_row
from doubleread.evals.datasets.read_choice import USUAL, ReadChoice

_SAVED = ("dataset_dict.json", "state.json")


class HubRows(Protocol):
    """What is used of a ``datasets.Dataset``."""

    @property
    def features(self) -> Any: ...

    def cast_column(self, column: str, feature: Any) -> Self: ...

    def __iter__(self) -> Iterator[Any]: ...

    def __len__(self) -> int: ...


def was_saved(folder: Path) -> bool:
    """Whether ``save_to_disk`` wrote this folder."""
    return any((folder / name).is_file() for name in _SAVED)


def load_saved(folder: Path) -> HubRows | Mapping[str, HubRows]:
    """What ``save_to_disk`` wrote; raises ``DataError`` without the package, or where it cannot be loaded."""
    try:
        from datasets import load_from_disk  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise DataError(
            f"{folder} was saved by the package datasets, which is not installed; install it with: pip install datasets"
        ) from None
    if odd := next((one for one in folder.rglob("*") if not (one.is_file() or one.is_dir())), None):
        raise DataError(f"{odd} is not a regular file, so the package datasets cannot load {folder}")
    try:
        found: HubRows | Mapping[str, HubRows] = load_from_disk(str(folder))
    except Exception as error:  # the package and Arrow have no common error
        raise DataError(f"the package datasets cannot load {folder}: {error}") from error
    return found


class KeptImages:
    """Images that exist only as bytes inside a data set, written once so that they have a path.

    A folder of images by the sha256 of their bytes; by default in the user's cache folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or platformdirs.user_cache_path("doubleread") / "images"

    def path_of(self, image: Any) -> Path:
        """The file of an image as ``datasets`` stores it, ``{"bytes": …, "path": …}``, written if need be.

        Raises ``DataError`` where there is neither, or the folder cannot be written to.
        """
        if not isinstance(image, Mapping) or not (image.get("bytes") or image.get("path")):
            raise DataError("this row contains no image")
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


def read_hugging_face(
    source: HubRows | Mapping[str, HubRows],
    columns: ReadChoice = USUAL,
    *,
    name: str = "dataset",
    progress: RowProgress | None = None,
    kept: KeptImages | None = None,
) -> LabelledCases:
    """The labelled cases of these rows; numbers of a ``ClassLabel`` become its names, other plain columns metadata.

    The images are in ``columns.path``, or else in the only ``Image`` column. Those that have no file are written to
    ``kept`` (by default in the user's cache folder). The names of a ``DatasetDict`` are the splits, unless there is
    only one. Raises ``DataError`` for missing columns, unknown splits, and what ``gather`` raises.
    """
    parts = {**source} if isinstance(source, Mapping) else {"": source}
    reading = [
        _Split.of(part, split if len(parts) > 1 else "", columns, kept or KeptImages()) for split, part in parts.items()
    ]
    read = [row for one in reading for row in one.rows()]
    notes = [f"labels are the column {columns.label!r}"]
    notes += [Caution(f"{one!r} is the only split: it is not taken as one") for one in parts if one and len(parts) == 1]
    return gather(name, read, columns, notes=notes, progress=progress)


@dataclass(frozen=True)
class _Split:
    """One split, and how its columns are read."""

    data: HubRows
    split: str
    columns: ReadChoice
    keys: RowKeys
    kept: KeptImages

    @classmethod
    def of(cls, data: HubRows, split: str, columns: ReadChoice, kept: KeptImages) -> Self:
        features = getattr(data, "features", None)
        if features is None or not hasattr(data, "__len__"):
            raise DataError(
                f"a {type(data).__name__} is not a data set; give a path, a name, or a Dataset or DatasetDict "
                "(not a streamed one)"
            )
        image = _image_column(features, columns.path)
        if columns.label not in features:
            raise DataError(
                f"the data set has no column {columns.label!r}; columns: {', '.join(features)}. "
                "Name it with label_column"
            )
        keys = RowKeys.of(columns, tuple(features), image)
        # The feature's own class, so that the stored bytes come as they are, not as pixels.
        as_stored = data.cast_column(image, type(features[image])(decode=False))
        return cls(as_stored, split, columns._replace(path=image), keys, kept)

    def rows(self) -> Iterator[DatasetRow | RowProblem]:
        names = {column: getattr(feature, "names", None) for column, feature in self.data.features.items()}
        image = self.columns.path
        for number, values in enumerate(self.data, start=1):
            where = f"{self.split} row {number}".strip()
            try:
                path = self.kept.path_of(values[image])
            except DataError as error:
                yield RowProblem(where=where, problem=str(error))
                continue
            text = {column: _text(value, names[column]) for column, value in values.items() if column != image}
            text[image] = _source(values[image], self.split, number)
            text["split"] = self.split or text.get("split", "")
            row = manifest_row(Path(), where, text, self.columns, self.keys)
            yield row if isinstance(row, RowProblem) else DatasetRow(**{**vars(row), "path": path})


def _image_column(features: Mapping[str, Any], named: str) -> str:
    images = [column for column, feature in features.items() if type(feature).__name__ == "Image"]
    if named in images:
        return named
    if len(images) != 1:
        raise DataError(
            f"the data set has {len(images)} image columns ({', '.join(images) or 'none'}); name the one to "
            "use with path_column"
        )
    return images[0]


def _text(value: Any, names: list[str] | None) -> str:
    """A plain value as text, a class by its name; nothing for what is not plain."""
    if names is not None and isinstance(value, int):
        return names[value] if 0 <= value < len(names) else ""
    return as_text(value) if isinstance(value, str | int | float | bool) else ""


def _source(image: Mapping[str, Any], split: str, number: int) -> str:
    """The name an image goes by: that of its file where it has one."""
    file = PurePosixPath(image.get("path") or "").name or str(number)
    return f"{split}/{file}" if split else file
