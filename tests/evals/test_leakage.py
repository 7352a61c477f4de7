from doubleread.evals.leakage import check_leakage
from doubleread.evals.splits import split


def test_clean_splits_are_clean(make_case):
    cases = split([make_case(i, "ab"[i % 2], group=f"g{i // 4}") for i in range(80)], seed=0)
    report = check_leakage(cases)
    assert report.clean
    assert report.known
    assert report.splits == ("calibration", "support", "test")
    assert report.lines() == ["no identical pictures in different splits", "no group is in more than one split"]


def test_a_group_in_two_splits(make_case):
    cases = [make_case(i, "a", group="leaf 7", split="support" if i < 2 else "test") for i in range(3)]
    report = check_leakage(cases)
    assert not report.clean
    assert report.shared_groups[0].cases == {"support": 2, "test": 1}
    assert "  - leaf 7: 2 in support, 1 in test" in report.lines()


def test_a_picture_in_two_splits(make_case):
    cases = [make_case("same", "a", group=f"g{name}", split=name) for name in ("support", "test")]
    report = check_leakage(cases)
    assert report.copies[0].splits == ("support", "test")
    assert report.lines()[:2] == [
        "1 picture in more than one split, so the measured accuracy will be too high",
        "  - same.png = same.png: in support, test",
    ]


def test_a_picture_with_two_labels(make_case):
    report = check_leakage([make_case("same", label, split="test") for label in "ab"])
    assert report.copies == ()
    assert report.conflicts[0].labels == ("a", "b")
    assert "1 picture with contradicting labels" in report.lines()


def test_without_a_group_key_it_is_unknown(make_case):
    report = check_leakage([make_case(i, "a", split="test") for i in range(3)])
    assert report.clean
    assert not report.known
    assert "no groups given (`--group`): images of one object may be in both training and test data" in report.lines()


def test_with_some_groups_it_is_partly_unknown(make_case):
    report = check_leakage([make_case(1, "a", split="test"), make_case(2, "a", split="test", group="g")])
    assert "1 of 2 cases have no group, so they could not be checked for shared groups" in report.lines()


def test_long_findings_are_cut(make_case):
    cases = [make_case((g, s), "a", group=f"g{g:02d}", split=s) for g in range(12) for s in ("support", "test")]
    report = check_leakage(cases)
    assert len(report.shared_groups) == 12
    assert report.lines()[-1] == "  … and 7 more"


def test_without_splits_identical_pictures_are_listed_and_groups_leak_nothing(make_case):
    cases = [make_case(i, "a", group="g") for i in range(3)]
    report = check_leakage(cases, repeated=[make_case(0, "a").model_copy(update={"source": "again.png"})])
    assert not report.has_splits
    assert not report.clean
    assert report.shared_groups == ()
    assert report.lines() == [
        "the data have no splits; copies are listed, since every split must keep them together",
        "1 picture stored more than once",
        f"  - {cases[0].source} = again.png",
    ]
