"""``Dataset`` and ``DatasetDict`` of Hugging Face's ``datasets``, given in Python or saved on disk.

Only what was saved on disk needs the package; a data set that is given brings its own classes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, Self

from doubleread.core.case import RowProblem
from doubleread.core.errors import DataError
from doubleread.evals.datasets.dataset_record import Labelled, Progress
from doubleread.evals.datasets.gather import Row, gather
from doubleread.evals.datasets.groups import GroupOf, group_key
from doubleread.evals.datasets.kept_images import KeptImages
from doubleread.evals.datasets.manifest import manifest_row
from doubleread.evals.datasets.text_table import as_text

EXTRA = "huggingface"
_SAVED = ("dataset_dict.json", "state.json")


class Rows(Protocol):
    """What is used of a ``datasets.Dataset``."""

    @property
    def features(self) -> Any: ...

    def cast_column(self, column: str, feature: Any) -> Self: ...

    def __iter__(self) -> Iterator[Any]: ...

    def __len__(self) -> int: ...


def was_saved(folder: Path) -> bool:
    """Whether ``save_to_disk`` wrote this folder."""
    return any((folder / name).is_file() for name in _SAVED)


def load_saved(folder: Path) -> Rows | Mapping[str, Rows]:
    """What ``save_to_disk`` wrote; raises ``DataError`` without the package, or where it cannot be loaded."""
    try:
        from datasets import load_from_disk  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise DataError(
            f"{folder} was saved by the package datasets, which is not installed: pip install 'doubleread[{EXTRA}]'"
        ) from None
    if odd := next((one for one in folder.rglob("*") if not (one.is_file() or one.is_dir())), None):
        raise DataError(f"{odd} is not a regular file: the package datasets cannot load {folder}")
    try:
        found: Rows | Mapping[str, Rows] = load_from_disk(str(folder))
    except Exception as error:  # the package and Arrow have no common error
        raise DataError(f"the package datasets cannot load {folder}: {error}") from error
    return found


def read_hugging_face(
    source: Rows | Mapping[str, Rows],
    *,
    name: str = "dataset",
    label_column: str = "label",
    path_column: str = "path",
    group: str | None = None,
    progress: Progress | None = None,
    kept: KeptImages | None = None,
) -> Labelled:
    """The labelled cases of these rows; numbers of a ``ClassLabel`` become its names, other plain columns metadata.

    The images are in ``path_column``, or else in the only ``Image`` column. Those that have no file are written to
    ``kept`` (by default in the user's cache folder). The names of a ``DatasetDict`` are the splits, unless there is
    only one. Raises ``DataError`` for missing columns, unknown splits, and what ``gather`` raises.
    """
    parts = {**source} if isinstance(source, Mapping) else {"": source}
    reading = [
        _Reading.of(part, split if len(parts) > 1 else "", label_column, path_column, group, kept or KeptImages())
        for split, part in parts.items()
    ]
    read = [row for one in reading for row in one.rows()]
    rows = [row for row in read if isinstance(row, Row)]
    problems = [row for row in read if isinstance(row, RowProblem)]
    notes = [f"labels are the column {label_column!r}"]
    notes += [f"{one!r} is the only split: it is not taken as one" for one in parts if one and len(parts) == 1]
    return gather(name, rows, problems=problems, notes=notes, progress=progress)


@dataclass(frozen=True)
class _Reading:
    """One split, and how its columns are read."""

    data: Rows
    split: str
    label: str
    image: str
    key: GroupOf | None
    kept: KeptImages

    @classmethod
    def of(cls, data: Rows, split: str, label: str, path: str, group: str | None, kept: KeptImages) -> Self:
        features = getattr(data, "features", None)
        if features is None or not hasattr(data, "__len__"):
            raise DataError(
                f"a {type(data).__name__} is not a data set; give a Dataset or DatasetDict that is not streamed, "
                "a path, or a name"
            )
        image = _image_column(features, path)
        if label not in features:
            raise DataError(
                f"the data set has no column {label!r}; columns: {', '.join(features)}. Name it with label_column"
            )
        expression = group or ("group" if "group" in features else None)
        key = group_key(expression, tuple(features), image) if expression else None
        # The feature's own class, so that the stored bytes come as they are, not as pixels.
        return cls(data.cast_column(image, type(features[image])(decode=False)), split, label, image, key, kept)

    def rows(self) -> Iterator[Row | RowProblem]:
        names = {column: getattr(feature, "names", None) for column, feature in self.data.features.items()}
        for number, values in enumerate(self.data, start=1):
            where = f"{self.split} row {number}".strip()
            try:
                path = self.kept.path_of(values[self.image])
            except DataError as error:
                yield RowProblem(where=where, problem=str(error))
                continue
            text = {column: _text(value, names[column]) for column, value in values.items() if column != self.image}
            text[self.image] = _source(values[self.image], self.split, number)
            text["split"] = self.split or text.get("split", "")
            row = manifest_row(Path(), where, text, self.label, self.image, self.key)
            yield row if isinstance(row, RowProblem) else Row(**{**vars(row), "path": path})


def _image_column(features: Mapping[str, Any], named: str) -> str:
    images = [column for column, feature in features.items() if type(feature).__name__ == "Image"]
    if named in images:
        return named
    if len(images) != 1:
        raise DataError(
            f"the data set has {len(images)} columns of images ({', '.join(images) or 'none'}); it needs one, or "
            "path_column to name it"
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
