"""Rows of a run as arrays, read once."""

import numpy as np
import pytest
from measures_kit import columns_of, of_case, rows_of, trust, unread
from verdicts_kit import AB, verdict

from doubleread.core.errors import DataError
from doubleread.core.evidence import Evidence, Neighbour
from doubleread.core.opinion import Usage
from doubleread.core.task import Task
from doubleread.core.verdict import Unfamiliarity
from doubleread.evals.metrics.run_columns import NONE, read_columns

VERDICTS = [
    verdict("1", "a", 0.9, agent=0.8, sure=True),
    verdict("2", "a", 0.8, agent=0.4, then=0.7),
    verdict("3", "b", 0.4, agent=0.3, commit=False),
    verdict("4", None, 0.6),
    verdict("5", "moss", 0.6, agent=0.9),
    verdict("6", "b", 0.6).model_copy(update={"posterior": {}, "calibrated": {}, "influence": {}}),
]


@pytest.fixture(scope="module")
def columns():
    return columns_of(VERDICTS)


def test_what_the_panel_said(columns):
    assert columns.n == 6
    assert columns.labels.tolist() == [0, 0, 1, NONE, NONE, 1]
    assert columns.unknown_labels == {"moss": 1}
    assert columns.posterior[:, 0] == pytest.approx([0.9, 0.8, 0.4, 0.6, 0.6, np.nan], nan_ok=True)
    assert columns.said.tolist() == [0, 0, 1, 0, 0, NONE]
    assert columns.committed.tolist() == [0, 0, NONE, 0, 0, 0]
    assert columns.sets.tolist() == [[True, False], *[[True, True]] * 5]
    assert columns.looked.tolist() == [False, True, False, False, False, False]
    assert columns.rounds.tolist() == [1, 2, 1, 1, 1, 1]
    assert np.isnan(columns.before[:, 0]).tolist() == [True, False, True, True, True, True]
    assert columns.promised == 0.9


def test_what_an_agent_said_first_and_last(columns):
    x = columns.agents["x"]
    assert x.first[:, 0] == pytest.approx([0.8, 0.4, 0.3, np.nan, 0.9, np.nan], nan_ok=True)
    assert x.last[:, 0] == pytest.approx([0.8, 0.7, 0.3, np.nan, 0.9, np.nan], nan_ok=True)
    assert x.first_label.tolist() == [0, 1, 1, NONE, 0, NONE]
    assert x.last_label.tolist() == [0, 0, 1, NONE, 0, NONE]
    assert x.again.tolist() == [False, True, False, False, False, False]
    assert x.calibrated_last[:, 0] == pytest.approx([0.9, 0.8, 0.4, np.nan, 0.6, np.nan], nan_ok=True)
    np.testing.assert_equal(x.influence, [1, 1, 1, 1, 1, np.nan])
    assert x.calibrated_first == pytest.approx(x.first, nan_ok=True)  # its calibrator changes nothing


def test_first_answers_are_calibrated_with_the_fitted_calibrator_and_silence_stays_silence():
    found = read_columns(iter(rows_of(VERDICTS)), AB, trust("temperature")).agents["x"]
    assert np.isnan(found.calibrated_first[[3, 5]]).all()
    spoke = [0, 1, 2, 4]
    assert found.calibrated_first[spoke].argmax(axis=1).tolist() == found.first[spoke].argmax(axis=1).tolist()
    assert not np.allclose(found.calibrated_first[spoke], found.first[spoke])


def test_rows_are_read_once_and_one_at_a_time():
    alive = 0

    class Counted:
        """A verdict's row that knows how many are held."""

        def __init__(self, row):
            nonlocal alive
            alive += 1
            self.index, self.case, self.verdict, self.unread = row.index, row.case, row.verdict, row.unread

        def __del__(self):
            nonlocal alive
            alive -= 1

    most = 0

    def stream():
        nonlocal most
        for row in rows_of(VERDICTS * 50):
            yield Counted(row)
            most = max(most, alive)

    assert read_columns(stream(), AB, trust()).n == 300
    assert most <= 2


def test_rows_without_a_verdict_are_counted_by_what_was_wrong():
    rows = [unread(0), *rows_of(VERDICTS[:1]), unread(7, "b"), unread(8, "c", code="empty")]
    found = read_columns(iter(rows), AB, trust())
    assert found.n == 1
    assert found.unread == {"corrupt": 2, "empty": 1}


def test_leaks_alarms_and_answers_without_a_price():
    copy = Neighbour(case_id="9" * 64, label="a", similarity=0.99)
    strange = Unfamiliarity(score=9, threshold=3, p_value=0.01, n=99, alarm=True)
    unknown = Unfamiliarity(score=9, threshold=None, p_value=0.5, n=9)
    dear = VERDICTS[0].opinions[0].model_copy(update={"usage": Usage(cost_usd=None)})
    changes = [
        {"evidence": Evidence(neighbours=(), near_copies=(copy,))},
        {"familiarity": strange},
        {"familiarity": unknown},
        {"opinions": (dear,)},
    ]
    found = columns_of([VERDICTS[0].model_copy(update=change) for change in changes])
    assert found.leaked.tolist() == [True, False, False, False]
    assert found.judged.tolist() == [False, True, False, False]
    assert found.alarm.tolist() == [False, True, False, False]
    assert found.unpriced.tolist() == [False, False, False, True]


def test_columns_for_subgroups_are_kept_and_others_are_named():
    some = [
        of_case(VERDICTS[0], metadata={"site": "north", "camera": "1"}, split="test", group="g"),
        of_case(VERDICTS[1], metadata={"camera": "2"}),
    ]
    found = columns_of(some, by=("site", "split"))
    assert found.subgroups == {"site": ("north", ""), "split": ("test", "")}
    assert found.metadata == ("camera", "site")
    assert found.groups == ("g", some[1].case.id)
    with pytest.raises(DataError, match="no case has the column 'sight' for subgroups; columns: camera, site, sp"):
        columns_of(some, by=("sight",))


def test_a_row_of_another_task_is_told():
    with pytest.raises(DataError, match=r"row 0 has the label 'a', which task 'xy' does not have \(x, y\)"):
        read_columns(iter(rows_of(VERDICTS)), Task.of("xy", ["x", "y"]), ())
