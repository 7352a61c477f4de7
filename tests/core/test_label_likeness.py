import unicodedata

import pytest

from benchmarks.bench_look_alikes import ALIKE, UNLIKE, label_look_alikes, pairs
from doubleread.core.label_likeness import alike, look_alikes, meant, nearest, spelling


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: f"{pair.first}~{pair.second}")
def test_a_pair_of_labels_looks_alike_or_not(pair):
    assert alike(pair.first, pair.second) is pair.alike
    assert alike(pair.second, pair.first) is pair.alike


def test_the_table_is_large_and_the_benchmark_reports_it():
    assert len(pairs()) >= 60
    assert len(ALIKE.keys() | UNLIKE.keys()) >= 8
    assert [(figure.value, figure.met) for figure in label_look_alikes()] == [(0, True), (0, True)]


def test_look_alikes_come_in_groups_that_share_no_label():
    names = ["Rust", "rust", "RUST", "HER2+", "HER2-", "black rot", "Black_Rot", "健康", "锈病"]
    assert look_alikes(names) == [("Black_Rot", "black rot"), ("RUST", "Rust", "rust")]


def test_a_chain_of_look_alikes_is_one_group():
    # НЕТ looks like HET, and its small letters are нет, which looks like neither.
    assert look_alikes(["нет", "HET", "НЕТ", "het"]) == [("HET", "het", "НЕТ", "нет")]


def test_alphabets_and_numbers_as_labels_have_no_look_alikes_but_the_known_ones():
    letters = [chr(ord("A") + i) for i in range(26)]
    assert look_alikes([*letters, *map(str, range(2, 10))]) == []
    assert look_alikes(map(str, range(300))) == []
    assert look_alikes([*letters, *map(str, range(10))]) == [("0", "O"), ("1", "I")]


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("HER2-", "HER2-"),
        ("her2 +", "HER2+"),
        ("HER2\u2212", "HER2-"),
        ("HER2", None),
        ("Black rot.", "black_rot"),
        ("BLACK-ROT", "black_rot"),
        (unicodedata.normalize("NFD", "Fäule"), "Fäule"),
        ("Faule", None),
        (">= 2", ">=2"),
        ("2", None),
        ("", None),
        (".", None),
    ],
)
def test_a_text_means_a_label_only_if_that_is_unambiguous(said, label):
    assert meant(said, ["HER2-", "HER2+", "black_rot", "Fäule", ">=2", "<2"]) == label


def test_two_labels_that_differ_only_in_case_are_told_apart_by_it():
    assert meant("Rust", ["rust", "Rust"]) == "Rust"
    assert meant("RUST", ["rust", "Rust"]) is None


@pytest.mark.parametrize(
    ("label", "near"),
    [("Rust", "rust"), ("rsut", "rust"), ("helthy", "healthy"), ("grade 3", None), ("HER2", None), ("ER-", None)],
)
def test_the_nearest_label_has_the_same_digits_and_signs(label, near):
    assert nearest(label, ["rust", "healthy", "grade 1", "grade 2", "HER2+", "HER2-", "ER+"]) == near


def test_a_spelling_never_depends_on_the_unicode_form():
    for pair in pairs():
        for label in (pair.first, pair.second):
            assert spelling(unicodedata.normalize("NFD", label)) == spelling(label)
