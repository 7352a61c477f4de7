"""Warnings point at the caller's line, each text once, and notes keep apart from them."""

import warnings

import pytest

from doubleread.core.notices import Caution, DoublereadWarning, already_said, cautions, divided, first_few, warn_user
from doubleread.evals.datasets import read_labelled


def test_each_text_is_one_warning_at_the_line_outside_the_library():
    with pytest.warns(DoublereadWarning) as caught:
        warn_user(["first", "second", "first"])
    assert [str(one.message) for one in caught] == ["first", "second"]
    assert {one.filename for one in caught} == {__file__}


def test_a_warning_from_deep_inside_points_at_the_caller(photos):
    with pytest.warns(DoublereadWarning, match="no groups given") as caught:
        read_labelled(photos)
    assert [one.filename for one in caught] == [__file__]


def test_what_is_said_elsewhere_is_not_said_again():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with already_said():
            warn_user(["known"])
        with pytest.raises(DoublereadWarning, match="new"):
            warn_user(["new"])


def test_notes_and_warnings_are_told_apart_and_empty_ones_dropped():
    notes, found = divided(["a", Caution("b"), "", Caution(""), "a", *cautions(["c", ""])])
    assert (notes, found) == (("a",), ("b", "c"))
    assert {type(one) for one in (*notes, *found)} == {str}


def test_long_lists_are_cut():
    assert first_few(["a", "b"], "{n} more", 2) == ("a", "b")
    assert first_few(["a", "b", "c", "d"], "{n} more", 2) == ("a", "b", "… and 2 more")
