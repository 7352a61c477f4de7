"""The verdicts of a run, or of the JSON lines that ``diagnose --json`` prints."""

from dataclasses import dataclass, field
from pathlib import Path

from doubleread.core.case import Case, RowProblem
from doubleread.core.errors import DataError, FileError
from doubleread.core.safe_files import parse_json
from doubleread.core.safe_text import byte_lines
from doubleread.core.verdict import Unread, Verdict
from doubleread.evals.runs.run_folder import RECORD, read_record, read_rows


@dataclass(frozen=True)
class VerdictSource:
    """Cases with the panel's verdicts on them.

    Examples:
        >>> from doubleread.evals.exports import VerdictSource
        >>> said = VerdictSource("leaves", cases=(verdict.case,), verdicts={verdict.case.id: verdict})
        >>> len(said.verdicts)
        1
    """

    name: str
    cases: tuple[Case, ...] = ()
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    """By the id of the case."""
    version: str = "doubleread"
    """Which panel gave them."""
    problems: tuple[RowProblem, ...] = ()
    """Lines of a file without a verdict; the cases of a run are all in ``cases``."""


def is_verdict_source(path: Path) -> bool:
    """Whether this is the folder of a run, or a file of verdicts as ``diagnose --json`` prints them."""
    if path.is_dir():
        return (path / RECORD).is_file()
    try:
        first = next(byte_lines(path), b"") if path.is_file() and path.suffix.lower() != ".json" else b""
    except FileError:
        return False
    return first.startswith((b'{"case":{', b'{"source":"')) and (b'"decision":' in first or b'"code":' in first)


def read_verdicts(path: Path) -> VerdictSource:
    """The verdicts of a run's folder, or of a file of JSON lines.

    Raises:
        RunError: The run is damaged.
        DataError: The file has no verdicts.

    Examples:
        >>> from pathlib import Path
        >>> from doubleread.evals.exports import read_verdicts
        >>> written = Path("verdicts.jsonl").write_text(verdict.model_dump_json())
        >>> read_verdicts(Path("verdicts.jsonl")).name
        'verdicts'
    """
    if path.is_dir():
        return _of_run(path)
    cases: list[Case] = []
    verdicts: dict[str, Verdict] = {}
    problems: list[RowProblem] = []
    try:
        for number, line in enumerate(byte_lines(path), start=1):
            where = f"{path.name}, line {number}"
            verdict = _verdict(line, where)
            if isinstance(verdict, RowProblem):
                problems.append(verdict)
                continue
            cases.append(verdict.case)
            verdicts[verdict.case.id] = verdict
    except FileError as error:
        raise DataError(str(error)) from None
    if not verdicts:
        raise DataError(
            f"{path} has no verdicts; give the folder of a run (`doubleread evaluate`) or what "
            "`doubleread diagnose --json` printed"
        )
    return VerdictSource(path.stem, tuple(cases), verdicts, problems=tuple(problems))


def _of_run(folder: Path) -> VerdictSource:
    record, rows = read_record(folder), list(read_rows(folder))
    verdicts = {row.case.id: row.verdict for row in rows if row.verdict is not None}
    version = f"doubleread-{record.panel[:12]}"
    return VerdictSource(record.name, tuple(row.case for row in rows), verdicts, version)


def _verdict(line: bytes, where: str) -> Verdict | RowProblem:
    """The verdict of a line, or what it has instead."""
    try:
        found = parse_json(line, where)
        if isinstance(found, dict) and "code" in found:
            unread = Unread.model_validate(found)
            return RowProblem(where=where, path=unread.source, problem=unread.problem)
        return Verdict.model_validate(found)
    except FileError as error:
        return RowProblem(where=where, problem=str(error))
    except ValueError as error:
        return RowProblem(where=where, problem=f"it is no verdict: {str(error).splitlines()[0][:200]}")
