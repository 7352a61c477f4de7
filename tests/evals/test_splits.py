from collections import Counter, defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doubleread.core.errors import DataError
from doubleread.evals.datasets import read_dataset
from doubleread.evals.splits import hold_out, split, split_sizes

LABELS = ("healthy", "rust", "scab")


def shares(cases):
    sizes = split_sizes(cases)
    return {label: {name: n / sum(row.values()) for name, n in row.items()} for label, row in sizes.items()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.sampled_from(LABELS), st.integers(0, 25) | st.none()), min_size=1, max_size=120),
    seed=st.integers(0, 2**32),
)
def test_no_group_is_ever_shared_and_each_label_can_be_learned_and_judged(make_case, rows, seed):
    cases = [make_case(i, label, group=None if g is None else f"g{g}") for i, (label, g) in enumerate(rows)]
    try:
        found = split(cases, seed=seed)
    except DataError as error:
        assert "needs at least 2 groups" in str(error)  # noqa: PT017
        return
    assert [case.id for case in found] == [case.id for case in cases]
    homes = defaultdict(set)
    for case in found:
        homes[case.group or case.id].add(case.split)
    assert all(len(splits) == 1 for splits in homes.values())
    for row in split_sizes(found).values():
        assert row["support"]
        assert row["test"]


def test_the_fractions_are_met_for_each_label(make_case):
    cases = [make_case(f"{label}{i}", label) for label, n in (("a", 700), ("b", 300), ("c", 10)) for i in range(n)]
    for row in shares(split(cases, seed=3)).values():
        assert row == {"support": 0.5, "calibration": 0.2, "test": 0.3}


def test_groups_of_mixed_size_and_labels_come_near_the_fractions():
    found = split(read_dataset("solar-cells").cases, seed=0)
    for row in shares(found).values():
        assert row["support"] == pytest.approx(0.5, abs=0.05)
        assert row["calibration"] == pytest.approx(0.2, abs=0.05)
        assert row["test"] == pytest.approx(0.3, abs=0.05)


def test_the_same_seed_gives_the_same_splits_whatever_the_order(make_case):
    cases = [make_case(i, "ab"[i % 2], group=f"g{i // 3}") for i in range(60)]
    one = {case.id: case.split for case in split(cases, seed=1)}
    assert one == {case.id: case.split for case in split(cases[::-1], seed=1)}
    assert one != {case.id: case.split for case in split(cases, seed=2)}


@pytest.mark.parametrize(("n", "wanted"), [(2, (1, 0, 1)), (3, (1, 1, 1)), (4, (2, 1, 1)), (10, (5, 2, 3))])
def test_few_cases(make_case, n, wanted):
    cases = [make_case(f"{label}{i}", label) for label in "ab" for i in range(n)]
    sizes = split_sizes(split(cases, seed=0))
    assert [tuple(row.values()) for row in sizes.values()] == [wanted, wanted]
    assert any(0 in row.values() for row in sizes.values()) == (n == 2)


def test_a_label_in_one_group_cannot_be_split(make_case):
    cases = [make_case(f"a{i}", "a", group=f"g{i}") for i in range(9)]
    cases += [make_case(f"b{i}", "b", group="one") for i in range(9)]
    with pytest.raises(DataError, match=r"labels without a case in a split: b \("):
        split(cases, seed=0)


def test_splits_that_came_with_the_data_are_honoured(make_case):
    names = ("train", "val", "test", "support")
    cases = [make_case(i, "ab"[i % 2], split=names[i // 2 % 4]) for i in range(40)]
    found = split(cases, seed=0)
    assert Counter(case.split for case in found) == {"support": 20, "calibration": 10, "test": 10}


def test_a_calibration_split_that_is_missing_comes_out_of_support(make_case):
    cases = [make_case(i, "ab"[i % 2], group=f"g{i // 4}", split="test" if i < 40 else "train") for i in range(180)]
    found = split(cases, seed=0)
    assert all(case.split == "test" for case in found[:40])
    assert Counter(case.split for case in found[40:]) == {"support": 100, "calibration": 40}
    homes = defaultdict(set)
    for case in found:
        homes[case.group].add(case.split)
    assert all(len(splits) == 1 for splits in homes.values())


def test_splits_on_some_cases_only(make_case):
    with pytest.raises(DataError, match="1 of 2 cases have no split"):
        split([make_case(1, "a", split="test"), make_case(2, "b")], seed=0)


def test_an_unknown_name(make_case):
    with pytest.raises(DataError, match="unknown split 'other'"):
        split([make_case(1, "a", split="other")], seed=0)


def test_a_test_split_that_is_missing(make_case):
    with pytest.raises(DataError, match="have no test"):
        split([make_case(i, "ab"[i % 2], split="train") for i in range(8)], seed=0)


def test_a_label_the_given_test_split_lacks(make_case):
    cases = [make_case(i, "ab"[i % 2], split="train" if i % 2 or i < 4 else "test") for i in range(12)]
    with pytest.raises(DataError, match=r"b \(test\)"):
        split(cases, seed=0)


@pytest.mark.parametrize(
    "fractions", [{"support": 1.0}, {"support": 0.5, "test": 0.6}, {"support": 1.0, "test": 0.0}, {"a": 1.0}]
)
def test_fractions_that_make_no_sense(make_case, fractions):
    with pytest.raises(DataError, match="fractions"):
        split([make_case(1, "a")], fractions=fractions, seed=0)


def test_nothing_to_split():
    with pytest.raises(DataError, match="no cases"):
        split([], seed=0)


def test_two_fractions_leave_no_calibration(make_case):
    cases = [make_case(i, "ab"[i % 2]) for i in range(20)]
    found = split(cases, fractions={"support": 0.6, "test": 0.4}, seed=0)
    assert Counter(case.split for case in found) == {"support": 12, "test": 8}


def test_the_sizes_are_counted_by_label_and_split(make_case):
    cases = split([make_case(i, "ab"[i % 2]) for i in range(20)], seed=0)
    assert split_sizes(cases)["a"] == {"support": 5, "calibration": 2, "test": 3}
    assert Counter(case.split for case in cases) == {"support": 10, "calibration": 4, "test": 6}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.sampled_from(LABELS), st.integers(0, 25) | st.none()), min_size=1, max_size=120),
    seed=st.integers(0, 2**32),
)
def test_held_out_cases_are_whole_groups_of_every_label(make_case, rows, seed):
    cases = [make_case(i, label, group=None if g is None else f"g{g}") for i, (label, g) in enumerate(rows)]
    try:
        found = hold_out(cases, seed=seed)
    except DataError as error:
        told = str(error)
        assert "too few images" in told or "needs at least 2 groups" in told
        return
    assert [case.id for case in found] == [case.id for case in cases]
    homes = defaultdict(set)
    for case in found:
        homes[case.group or case.id].add(case.split)
    assert all(len(splits) == 1 for splits in homes.values())
    assert all(row["support"] and row["test"] for row in split_sizes(found).values())


def test_the_share_that_is_held_out_is_met_for_each_label(make_case):
    cases = [make_case(f"{label}{i}", label) for label, n in (("a", 200), ("b", 50), ("c", 10)) for i in range(n)]
    for row in shares(hold_out(cases, seed=0)).values():
        assert row == {"support": 0.8, "calibration": 0.0, "test": 0.2}


def test_calibration_cases_and_their_groups_are_not_held_out(make_case):
    cases = [make_case(f"{label}{i}", label, group=f"{label}{i // 2}") for label in LABELS for i in range(20)]
    cases = [
        case.model_copy(update={"split": "calibration"}) if case.id.endswith(("0", "4")) else case for case in cases
    ]
    fixed = {case.group for case in cases if case.split == "calibration"}
    assert fixed
    found = hold_out(cases, seed=0)
    assert not fixed & {case.group for case in found if case.split == "test"}
    assert [case.split == "calibration" for case in found] == [case.split == "calibration" for case in cases]


def test_a_test_split_of_the_data_is_kept(make_case):
    cases = [make_case(i, "a", split="test" if i < 3 else "train") for i in range(30)]
    assert [case.split for case in hold_out(cases, seed=0)] == ["test"] * 3 + ["support"] * 27


@pytest.mark.parametrize("share", [0, 1, -0.5])
def test_a_share_that_leaves_nothing(make_case, share):
    with pytest.raises(DataError, match="above 0 and below 1"):
        hold_out([make_case(1, "a")], share=share, seed=0)


def test_too_few_images_or_groups_to_hold_some_out(make_case):
    few = [make_case(f"{label}{i}", label) for label, n in (("a", 40), ("b", 9)) for i in range(n)]
    with pytest.raises(DataError, match="each label needs 10 images in 5 groups; b has fewer"):
        hold_out(few, seed=0)
    together = [make_case(f"{label}{i}", label, group=f"{label}{i % 4}") for label in "ab" for i in range(40)]
    with pytest.raises(DataError, match="a, b have fewer"):
        hold_out(together, seed=0)
