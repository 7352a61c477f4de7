"""Rows of a run survive their line of JSON."""

import pytest
from verdicts_kit import verdict

from doubleread.core.verdict import Unread
from doubleread.evals.runs.row import Row

SAID = verdict("1", "a", 0.9, agent=0.8, sure=True)
READ = Row(index=3, case=SAID.case, verdict=SAID)
UNREAD = Row(index=4, case=SAID.case, unread=Unread(source="x.jpg", code="corrupt", problem="cut short"))


@pytest.mark.parametrize("row", [READ, UNREAD])
def test_a_row_is_one_line_and_comes_back_whole(row):
    line = row.line()
    assert "\n" not in line
    assert Row.of_line(line) == row
    assert line.count(row.case.id) == 1


@pytest.mark.parametrize("line", ["", "{", '{"index": 1}', READ.line()[:-20], "[]"])
def test_a_torn_line_is_told(line):
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic words it
        Row.of_line(line)


def test_a_row_without_any_result_is_refused():
    with pytest.raises(ValueError, match="a verdict or the reason why"):
        Row.of_line(Row(index=1, case=SAID.case).line())
