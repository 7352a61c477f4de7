"""Images without labels: files, and whatever lies in folders."""

from collections.abc import Sequence
from pathlib import Path

from doubleread.core.case import Case
from doubleread.core.errors import DataError
from doubleread.core.verdict import Unread
from doubleread.evals.datasets.folder_dataset import images_in
from doubleread.evals.datasets.groups import group_key


def read_unlabelled(sources: Sequence[str], *, group: str | None = None) -> tuple[list[Case], list[Unread]]:
    """The images of these files and folders, and those that cannot be opened; ``group`` is a pattern (``re:(…)``).

    Raises ``DataError`` where there is no image at all, or ``group`` is not a pattern.
    """
    if group is not None and not group.startswith("re:"):
        raise DataError(f"group {group!r}: images have no columns; use re:(…), which takes a part of the path")
    key = group_key(group, (), "path") if group else None
    cases: list[Case] = []
    unread: list[Unread] = []
    for path in (path for source in sources for path in _files(Path(source).expanduser(), unread)):
        try:
            cases.append(Case.from_file(path, group=key({"path": path.as_posix()}) if key else None))
        except DataError as error:
            unread.append(Unread(source=str(path), code="unreadable", problem=str(error)))
    if not cases and not unread:
        raise DataError(f"there are no images in {', '.join(sources)}")
    return cases, unread


def _files(source: Path, unread: list[Unread]) -> list[Path]:
    if not source.is_dir():
        return [source]

    def closed(error: OSError) -> None:
        problem = f"the folder cannot be read: {error.strerror}"
        unread.append(Unread(source=str(error.filename), code="unreadable", problem=problem))

    return [source / path for path in sorted(images_in(source, closed))]
