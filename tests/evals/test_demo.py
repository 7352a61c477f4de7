"""Which verdicts the demo shows."""

import pytest
from verdicts_kit import verdict

from doubleread.evals.demo import telling


@pytest.fixture(scope="module")
def verdicts():
    return [
        verdict("1", "a", 0.9, agent=0.8, sure=True),
        verdict("2", "a", 0.8, agent=0.4, then=0.7),
        verdict("3", "b", 0.3, agent=0.2, sure=True),
        verdict("4", "b", 0.6, agent=0.3, then=0.6, commit=False),
        verdict("5", "b", 0.7, agent=0.6, then=0.7),
        verdict("6", "a", 0.6),
    ]


def test_kinds_of_verdicts_take_turns(verdicts):
    kinds = [(v.decision.action, v.second_look is not None, v.label == v.case.label) for v in telling(verdicts)]
    assert len(set(kinds[:4])) == 4
    assert len(kinds) == 6
    assert telling([]) == []
