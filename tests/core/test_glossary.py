"""The glossary: a page made from it, words that are found in any form, and anchors that links can rely on."""

import re
from pathlib import Path

import pytest

from doubleread.core.glossary import TERMS, Term, as_markdown, find, words_in

DOCS = Path(__file__).parents[2] / "docs"
FORMS = [(form, term) for term in TERMS for form in (term.name, *term.spellings)]


def test_the_page_agrees_with_the_code():
    assert (DOCS / "glossary.md").read_text(encoding="utf-8") == as_markdown()


def test_there_are_twelve_words_with_anchors_of_their_own():
    assert len({term.anchor for term in TERMS}) == len(TERMS) == 12
    assert all(re.fullmatch(r"word-[a-z-]+", term.anchor) for term in TERMS)


def test_no_form_belongs_to_two_words():
    forms = [form.casefold() for form, _ in FORMS]
    assert len(set(forms)) == len(forms)


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_a_meaning_is_one_to_four_sentences(term):
    assert term.meaning.endswith(".")
    assert 1 <= len(re.findall(r"\.(?:\s|$)", term.meaning)) <= 4
    assert term.meaning in as_markdown()


@pytest.mark.parametrize(("form", "term"), FORMS, ids=[form for form, _ in FORMS])
def test_a_word_is_found_in_every_form(form, term):
    assert find(form) is find(f"  {form.upper()} ") is term
    assert term in words_in([f"Here ({form}) is one."])


@pytest.mark.parametrize("word", ["", "agenta", "look", "a group of agents"])
def test_what_is_no_word_of_the_glossary_is_not_found(word):
    assert find(word) is None


def test_words_come_in_the_order_of_the_glossary_and_once():
    texts = ["The log-loss of a group.", "Two agents, one AGENT."]
    assert [term.name for term in words_in(texts)] == ["agent", "group", "log-loss"]


@pytest.mark.parametrize("text", ["reagent", "regrouping", "eceland", "infer"])
def test_a_part_of_another_word_is_no_use_of_it(text):
    assert words_in([text]) == ()


def test_a_form_with_signs_is_taken_as_text():
    odd = Term("c++", "A language.", ("(c)",))
    assert odd.is_in("in c++ and")
    assert odd.is_in("see (c)")
    assert not odd.is_in("ccc")


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.relative_to(DOCS).as_posix())
def test_links_to_the_glossary_name_words_that_it_has(page):
    anchors = {term.anchor for term in TERMS}
    linked = set(re.findall(r"glossary\.md#([\w-]+)", page.read_text(encoding="utf-8")))
    assert linked <= anchors
