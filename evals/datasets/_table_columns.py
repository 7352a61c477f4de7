"""Which column of a table holds the path, and which the label, where other tools call them otherwise."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from doubleread.core.errors import DataError
from doubleread.evals.datasets._text_table import TextTable
from doubleread.evals.datasets.label_names import IMAGE_SUFFIXES
from doubleread.evals.datasets.read_choice import USUAL, ReadChoice

_PATHS = frozenset(
    {
        "path", "file", "filename", "filepath", "fname", "image", "imagepath", "imagefile", "imagefilename",
        "imagename", "imagefilepath", "img", "imgpath", "imgname", "imgfile", "picture", "photo", "photopath",
        "relativepath", "relpath", "imageid", "imgid", "id",
    }
)  # fmt: skip
_LABELS = frozenset(
    {
        "label", "labels", "labelname", "class", "classname", "classlabel", "category", "categoryname", "diagnosis",
        "dx", "disease", "target", "condition", "finding", "groundtruth",
    }
)  # fmt: skip
_IDS = frozenset({"id", "imageid", "imgid"})
"""Taken only where no other column can be the path."""
_BITS = frozenset({"0", "1", "0.0", "1.0", "true", "false"})
_ON = frozenset({"1", "1.0", "true"})


def columns_of(
    table: TextTable, wanted: ReadChoice, where: str, *, labels: bool = True
) -> tuple[ReadChoice, list[str]]:
    """The choice with the columns that the table has, and notes about those that have another name than usual.

    Raises ``DataError`` where a column that was asked for is not there, or none or several can be it.
    """
    _check_header(table, wanted, where)
    path, path_notes = _column(table.columns, wanted.path, USUAL.path, _PATHS, where, "path")
    if not labels:
        return wanted._replace(path=path), path_notes
    if wanted.label == USUAL.label and not any(_plain(name) in _LABELS for name in table.columns):
        _check_one_hot(table, where)
    label, label_notes = _column(table.columns, wanted.label, USUAL.label, _LABELS, where, "label", (path,))
    return wanted._replace(path=path, label=label), [*path_notes, *label_notes]


def is_template(column: str) -> bool:
    """Whether a path is made of columns, as in ``images/{image_id}.jpg``."""
    return "{" in column


def filled(template: str, values: Mapping[str, str]) -> str:
    """The path that a template gives for a row."""
    return re.sub(r"\{([^{}]*)\}", lambda found: values.get(found[1], "").strip(), template)


def _column(
    columns: Sequence[str],
    wanted: str,
    usual: str,
    synonyms: frozenset[str],
    where: str,
    what: str,
    taken: Sequence[str] = (),
) -> tuple[str, list[str]]:
    if is_template(wanted) and what == "path":
        _check_template(columns, wanted, where)
        return wanted, [f"paths are {wanted}"]
    if wanted in columns:
        return wanted, []
    if wanted != usual:
        raise DataError(f"{where} has no column {wanted!r}; columns: {', '.join(columns)}. {_naming(what)}")
    free = [name for name in columns if name not in taken]
    found = [name for name in free if _plain(name) == usual] or [n for n in free if _plain(n) in synonyms - _IDS]
    found = found or [name for name in free if _plain(name) in synonyms & _IDS]
    if len(found) == 1:
        return found[0], [f"the {what} is the column {found[0]!r}; --{what}-column names another one"]
    if found:
        raise DataError(f"{where}: any of the columns {', '.join(found)} could be the {what}. {_naming(what)}")
    raise DataError(f"{where} has no column {usual!r}; columns: {', '.join(columns)}. {_naming(what)}")


def _naming(what: str) -> str:
    return f"Name the column of the {what} with --{what}-column (in Python: {what}_column)"


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _check_template(columns: Sequence[str], template: str, where: str) -> None:
    unknown = [name for name in re.findall(r"\{([^{}]*)\}", template) if name not in columns]
    if unknown or template.count("{") != template.count("}"):
        raise DataError(
            f"{where}: the path {template!r} names columns that are not there; columns: {', '.join(columns)}. "
            "Write each in braces, as in images/{image_id}.jpg"
        )


def _check_header(table: TextTable, wanted: ReadChoice, where: str) -> None:
    if wanted.path in table.columns or is_template(wanted.path):
        return
    if any(PurePath(name.strip()).suffix.lower() in IMAGE_SUFFIXES for name in table.columns):
        first = ",".join(table.columns)[:80]
        raise DataError(
            f"{where} has no line with the names of the columns: its first line is {first!r}. Add a line such as "
            "path,label above it"
        )


def _check_one_hot(table: TextTable, where: str) -> None:
    spread = _one_hot(table)
    if not spread:
        return
    names = ", ".join(spread[:6]) + (", …" if len(spread) > 6 else "")
    raise DataError(
        f"{where} has one column of 0 and 1 for each label ({names}); doubleread needs one column with the name of the "
        "label. With pandas: labels = ['" + "', '".join(spread[:2]) + "', …]; table['label'] = "
        "table[labels].idxmax(axis=1)"
    )


def _one_hot(table: TextTable) -> tuple[str, ...]:
    """The columns of labels where each row has a 1 in one of them and 0 in the others."""
    bits = [name for name in table.columns if all(row.get(name, "").strip().lower() in _BITS for row in table.rows)]
    if len(bits) < 2 or not table.rows:
        return ()
    alone = all(sum(row[name].strip().lower() in _ON for name in bits) == 1 for row in table.rows)
    return tuple(bits) if alone else ()
