import unicodedata

import pytest

from doubleread.core.label_text import as_known, is_missing, normal, words_of


@pytest.mark.parametrize(
    ("written", "label"),
    [
        (" rust ", "rust"),
        ("apple\u00a0\u2003 scab", "apple scab"),
        ("a\tb\r\n", "a b"),
        ("\ufeffru\u200bst\u2060", "rust"),
        ("\u200ebr\u00adand\u202c", "brand"),
        ("ru\u200cst", "rust"),
        ("سالم\u200cها", "سالم\u200cها"),  # a zero-width non-joiner shapes Persian words
        ("क्\u200dष", "क्\u200dष"),
        ("\u3164rust\u2800", "rust"),
        ("HER2-", "HER2-"),
        ("Fäule", "Fäule"),
        (unicodedata.normalize("NFD", "Fäule 녹병 が"), "Fäule 녹병 が"),
        ("\u200b", ""),
    ],
)
def test_a_label_has_one_form(written, label):
    assert normal(written) == label
    assert normal(label) == label


@pytest.mark.parametrize(
    "word",
    ["", " ", "nan", "NaN", "None", "NULL", "n/a", "N/A", "NA", "-", "—", "--", "?", "？", "#N/A", "<NA>", "NaT",
     "#VALUE!", "unlabeled", "Unlabelled", "ｎａｎ"],
)  # fmt: skip
def test_words_for_missing_values(word):
    assert is_missing(word)


@pytest.mark.parametrize("label", ["nano", "healthy", "no", "unknown", "other", "+", "-1", "0", "Nana", "无", "rust?"])
def test_labels_are_no_missing_values(label):
    assert not is_missing(label)


def test_a_name_of_an_older_panel_keeps_its_form():
    old = unicodedata.normalize("NFD", "Fäule")
    assert as_known("Fäule", (old, "rust")) == old
    assert as_known(" rust ", (old, "rust")) == "rust"
    assert as_known("scab", (old, "rust")) == "scab"


def test_a_label_in_words_keeps_its_signs():
    assert words_of("apple-black_rot") == "apple black rot"
    assert words_of("HER2-") == "HER2-"
    assert words_of("grade -1") == "grade -1"
