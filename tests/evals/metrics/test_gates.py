"""Figures that must not be worse than asked for."""

import pytest
from measures_kit import columns_of, simulated
from verdicts_kit import verdict

from doubleread.core.errors import DataError
from doubleread.evals.metrics.calculation import evaluate
from doubleread.evals.metrics.gates import MetricBound, check, gate, gated, parse_gate


def evaluated(verdicts):
    return evaluate(columns_of(verdicts), name="leaves", draws=100)


@pytest.fixture(scope="module")
def found():
    """Nine of ten right, all committed."""
    return evaluated([verdict(str(i), "a" if i else "b", 0.9) for i in range(10)])


def test_a_gate_is_read_from_a_word():
    assert parse_gate("accuracy=0.95", "at least") == MetricBound(figure="accuracy", side="at least", bound=0.95)
    assert parse_gate(" ece = 5e-2 ", "at most") == MetricBound(figure="ece", side="at most", bound=0.05)
    assert parse_gate("cost=3", "at most").bound == 3


@pytest.mark.parametrize(
    ("text", "side", "message"),
    [
        ("accuracy", "at least", "'accuracy' is not a bound on a figure: write NAME=NUMBER, such as accuracy=0.95"),
        ("ece=low", "at most", "'ece=low' is not a bound on a figure: write NAME=NUMBER, such as ece=0.05"),
        (
            "precision=0.9",
            "at least",
            "there is no figure 'precision'; a bound 'at least' can be set for: accuracy, b",
        ),
        ("ece=0.05", "at least", "for ece, lower is better: set a bound 'at most 0.05', not 'at least'"),
        ("accuracy=0.5", "at most", "for accuracy, higher is better: set a bound 'at least 0.5', not 'at most'"),
        ("accuracy=95", "at least", "the bound accuracy=95 is not valid: give a share from 0 to 1, such as 0.95"),
        ("nll=-1", "at most", "the bound nll=-1 is not valid: give a number of 0 or more"),
        ("cost=inf", "at most", "the bound cost=inf is not valid"),
        ("ece=nan", "at most", "the bound ece=nan is not valid"),
    ],
)
def test_what_cannot_be_asked_is_told(text, side, message):
    with pytest.raises(DataError) as told:
        parse_gate(text, side)
    assert message in str(told.value)


def test_gates_pass_and_fail_with_the_figure_and_its_interval(found):
    asked = [gate("accuracy", "at least", 0.9), gate("accuracy", "at least", 0.95), gate("ece", "at most", 0.001)]
    results = check(found, asked)
    assert [one.passed for one in results] == [True, False, True]
    assert results[1].text.startswith("accuracy 0.9 (0.")
    assert results[1].text.endswith(") is not at least 0.95")
    assert results[1].found.value == 0.9
    assert not results[1].sure  # the interval reaches to 1
    assert check(found, [gate("accuracy", "at least", 0.2)])[0].sure
    assert check(found, [gate("unread", "at most", 0)])[0].text == "unread 0 (0 to 0) is at most 0"


def test_rounding_fails_no_gate():
    found = evaluated([verdict(str(i), "a", 0.7) for i in range(10)])
    assert check(found, [gate("nll", "at most", found.panel.nll.value - 1e-15)])[0].passed
    assert not check(found, [gate("nll", "at most", found.panel.nll.value - 1e-6)])[0].passed


def test_a_figure_that_a_run_does_not_have_does_not_pass():
    referred = evaluated([verdict("1", "a", 0.9, commit=False)])
    (result,) = check(referred, [gate("committed-accuracy", "at least", 0.5)])
    assert (result.passed, result.found, result.sure) == (False, None, False)
    assert result.text == "committed-accuracy has no value in this run, so it is not at least 0.5"
    assert not check(evaluated([verdict("1", None, 0.9)]), [gate("accuracy", "at least", 0)])[0].passed


@pytest.mark.parametrize("name", gated())
def test_every_figure_is_there_and_on_its_side(name):
    found = evaluated(simulated(50))
    figure = gated()[name]
    value = figure.of(found)
    if name == "alarms":
        assert value is None  # nothing could tell
        return
    assert value.low - 1e-9 <= value.value <= value.high + 1e-9 or name in ("ece", "ace", "mce", "classwise-ece")
    if figure.share:
        assert 0 <= value.value <= 1
    best = 0.0 if figure.side == "at least" else 1.0 if figure.share else 1e9
    assert check(found, [gate(name, figure.side, best)])[0].passed
