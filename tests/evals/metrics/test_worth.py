"""The sentence on what a panel is worth: it follows the paired comparison."""

import pytest
from measures_kit import columns_of, simulated
from verdicts_kit import verdict

from doubleread.core.trust import Estimate
from doubleread.evals.metrics.calculation import evaluate
from doubleread.evals.metrics.panel_worth import worth


def of(low, high):
    """A run with the panel's advantage in accuracy over its only agent in this interval."""
    found = evaluate(columns_of(simulated(60, groups=12)), name="leaves")
    middle = Estimate(value=(low + high) / 2, low=low, high=high)
    advantages = tuple(one.model_copy(update={"accuracy": middle}) for one in found.advantages)
    return found.model_copy(update={"advantages": advantages})


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.02, 0.03, "the difference may be chance (95 %: -2.0 to +3.0 points)"),
        (0.01, 0.03, "the panel is better by 2.0 points (95 %: 1.0 to 3.0 points)"),
        (-0.03, -0.01, "the panel is worse by 2.0 points (95 %: 1.0 to 3.0 points)"),
    ],
)
def test_a_difference_is_claimed_only_where_its_whole_interval_says_so(low, high, said):
    found = of(low, high)
    sentence = worth(found)
    assert sentence.startswith("The panel was right on 65.0 % of 60 unseen images in 12 groups (95 % interval: ")
    best = f"The agent that is best on these images (x) was right on {found.agents[0].accuracy.value * 100:.1f} %"
    assert f"{best}: {said}." in sentence
    assert f"The log-loss (lower is better) is {found.panel.nll.value:.3f} for the panel" in sentence


def test_without_true_labels_nothing_is_claimed():
    found = evaluate(columns_of([verdict("1", None, 0.9)]), name="leaves")
    assert worth(found) == "The panel read 1 image; none has a true label, so it cannot be judged."


def test_an_agent_that_answered_some_is_compared_on_these():
    some = [verdict("1", "a", 0.9, agent=0.8), verdict("2", "a", 0.8, agent=0.7), verdict("3", "a", 0.9)]
    assert "(x, for the 2 that it answered) was right on 100.0 %" in worth(evaluate(columns_of(some), name="leaves"))


def test_what_is_left_out_stands_in_the_first_sentence():
    some = [verdict("1", "a", 0.9), verdict("2", "a", 0.8), verdict("3", "moss", 0.9), verdict("4", None, 0.9)]
    found = evaluate(columns_of(some), name="leaves")
    assert found.left_out == {"unknown-label": 1, "no-label": 1}
    assert (found.judged_n, found.asked_n, found.too_many_left_out) == (2, 4, True)
    assert worth(found).startswith("On 2 of 4 unseen images, the panel was right on 100.0 % (95 % interval: ")
    told = "the others are left out: 1 has a label that the panel does not know and 1 has no true label."
    assert told in worth(found)
