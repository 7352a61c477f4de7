"""The rows of a run, as a stream of readings."""

from collections.abc import Iterator
from pathlib import Path

from doubleread.core.opinion import Answer
from doubleread.core.reading import Reading, slim_evidence
from doubleread.core.verdict import Verdict
from doubleread.evals.runs.run_folder import read_record, read_rows


def labelled_verdicts(folder: Path) -> Iterator[Verdict]:
    """The verdicts on labelled cases on which anybody spoke, one at a time; raises ``RunError``."""
    read_record(folder)
    for row in read_rows(folder):
        verdict = row.verdict
        if verdict is not None and verdict.case.label is not None and verdict.opinions:
            yield verdict


def reading_of(verdict: Verdict) -> Reading:
    """What was said about a labelled case, with what it cost."""
    answers: tuple[Answer, ...] = (*verdict.opinions, *verdict.abstentions)
    return Reading(
        case=verdict.case.id,
        label=str(verdict.case.label),
        group=verdict.case.group,
        first=tuple(a for a in answers if a.round == 1),
        second=tuple(a for a in answers if a.round > 1),
        evidence=slim_evidence(verdict.evidence),
    )
