"""A folder whose ``metadata.csv``, ``.jsonl`` or ``.parquet`` names its images: Hugging Face's image-folder layout."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from doubleread.core.case import RowProblem
from doubleread.core.errors import DataError
from doubleread.core.notices import Caution
from doubleread.evals.datasets._dataset_record import LabelledCases, RowProgress
from doubleread.evals.datasets._dataset_rows import DatasetRow, gather
from doubleread.evals.datasets._groups import RowKeys
from doubleread.evals.datasets._text_table import TextTable, read_table
from doubleread.evals.datasets.folder_walk import FolderWalk, walk
from doubleread.evals.datasets.label_names import split_of_folder
from doubleread.evals.datasets.manifest_dataset import located, manifest_row
from doubleread.evals.datasets.read_choice import ReadChoice

FILE_NAME = "file_name"
"""The column that tells such a metadata file from any other table."""
_UNNAMED, _TABLES = "images that no metadata file names", "tables that name the images"
_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


@dataclass(frozen=True)
class Metadata:
    """One metadata file and what stands in it."""

    file: Path
    table: TextTable
    split: str = ""
    """Name of its split folder; empty at the root."""


def metadata_of(folder: Path) -> list[Metadata]:
    """The metadata files at the root and in the split folders; none where the folder has another layout.

    Raises ``DataError`` for a metadata file that cannot be read.
    """
    homes = [(folder, "")]
    splits = [(one, split_of_folder(one.name)) for one in sorted(folder.iterdir()) if one.is_dir()]
    homes += [(one, split) for one, split in splits if split]
    files = [(home / name, split) for home, split in homes for name in _METADATA if (home / name).is_file()]
    read = [Metadata(file, read_table(file), split) for file, split in files]
    return [one for one in read if FILE_NAME in one.table.columns]


def read_image_folder(
    folder: Path,
    metadata: list[Metadata],
    wanted: ReadChoice,
    progress: RowProgress | None = None,
) -> LabelledCases:
    """The labelled cases of a folder with these metadata files; file names are relative to the file that names them.

    The split is that of the split folder, or a column ``split``. Without a column ``label``, the label is the name
    of the folder an image stands in. Raises ``DataError`` for missing columns, and what ``gather`` raises.
    """
    columns = tuple(dict.fromkeys(name for one in metadata for name in one.table.columns))
    named = wanted.label in columns
    if not named and wanted.label != "label":
        raise DataError(
            f"the metadata of {folder} has no column {wanted.label!r}; columns: {', '.join(columns)}. "
            "Name the column with label_column"
        )
    keys = RowKeys.of(wanted, columns, FILE_NAME)
    read = [
        located(
            manifest_row(folder, where, values if named else _labelled(values), wanted._replace(path=FILE_NAME), keys),
            folder,
        )
        for one in metadata
        for where, values in _rows(folder, one)
    ]
    read += [_placed(folder, one.file, problem) for one in metadata for problem in one.table.problems]
    found = walk(folder)
    named_files = {row.source if isinstance(row, DatasetRow) else row.path for row in read}
    read += _unnamed(found, named_files)
    read += [one for one in found.problems if one.path not in named_files]
    read_tables = {one.file.relative_to(folder).as_posix() for one in metadata}
    tables = [one.model_copy(update={"reason": _TABLES}) for one in found.ignored if one.where in read_tables]
    ignored = [*tables, *(one for one in found.ignored if one.where not in read_tables)]
    files = " and ".join(one.file.relative_to(folder).as_posix() for one in metadata)
    notes = [f"images are those that {files} names"]
    guess = Caution("there is no label column: labels are the names of the folders")
    notes.append(f"labels are the column {wanted.label!r}" if named else guess)
    notes += keys.notes
    name = folder.resolve().name or "images"
    return gather(name, read, wanted, notes=notes, progress=progress, ignored=ignored)


def _rows(folder: Path, metadata: Metadata) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Where each row stands, and its values with the file's name relative to the root and the split."""
    home = metadata.file.parent.relative_to(folder).as_posix()
    for line, values in zip(metadata.table.lines, metadata.table.rows, strict=True):
        named = values.get(FILE_NAME, "").strip()
        path = PurePosixPath(home, named).as_posix() if named else ""
        split = metadata.split or values.get("split", "") or _split_folder(path)
        yield (
            f"{metadata.file.relative_to(folder).as_posix()}, line {line}",
            {**values, FILE_NAME: path, "split": split},
        )


def _placed(folder: Path, file: Path, problem: RowProblem) -> RowProblem:
    return problem.model_copy(update={"where": f"{file.relative_to(folder).as_posix()}, {problem.where}"})


def _unnamed(found: FolderWalk, named: set[str]) -> list[RowProblem]:
    """The images that no metadata file names."""
    told = "no metadata file names this image"
    paths = [path.as_posix() for path in found.images]
    return [RowProblem(where=path, path=path, problem=told, reason=_UNNAMED) for path in paths if path not in named]


def _split_folder(path: str) -> str:
    top, below, _ = path.partition("/")
    return split_of_folder(top) or "" if below else ""


def _labelled(values: Mapping[str, str]) -> Mapping[str, str]:
    folder = PurePosixPath(values[FILE_NAME]).parent.name
    return {**values, "label": "" if split_of_folder(folder) else folder}
