"""One case of a run and what came of it."""

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.verdict import Unread, Verdict


class Row(Record):
    """A verdict, or why there is none: exactly one of the two."""

    index: int
    """Place of the case in the data set."""
    case: Case
    verdict: Verdict | None = None
    unread: Unread | None = None

    def line(self) -> str:
        """One line of JSON; the verdict's case is not written twice."""
        return self.model_dump_json(exclude={"verdict": {"case"}}, exclude_defaults=True)

    @classmethod
    def of_line(cls, line: str | bytes) -> "Row":
        """The row of a line; raises ``ValueError`` for one that is torn or of something else."""
        row = _Line.model_validate_json(line)
        if (row.verdict is None) is (row.unread is None):
            raise ValueError("a row contains either a verdict or the reason why there is none")
        verdict = None if row.verdict is None else Verdict.model_validate({**row.verdict, "case": row.case})
        return cls(index=row.index, case=row.case, verdict=verdict, unread=row.unread)


class _Line(Record):
    index: int
    case: Case
    verdict: dict[str, object] | None = None
    unread: Unread | None = None
