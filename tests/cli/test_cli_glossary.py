"""``doubleread glossary``, and the lines that lead to it."""

import json

from doubleread.core.glossary import TERMS


def test_all_words_one_word_and_an_unknown_one(doubleread):
    everything = doubleread("glossary")
    assert [term.name for term in TERMS if term.name in everything.out.splitlines()] == [term.name for term in TERMS]
    one = doubleread("glossary", "prediction", "sets", "--json")
    assert json.loads(one.out)["word"] == "prediction set"
    unknown = doubleread("glossary", "logit")
    assert (unknown.code, "known: ECE, agent" in unknown.err) == (2, True)


def test_a_card_is_followed_by_the_way_to_its_details_and_words(doubleread, offline, saved, photos):
    image = photos / "red" / "red-009.png"
    ended = doubleread("diagnose", image, "--panel", saved)
    assert f"more: doubleread diagnose {image} --explain" in ended.err.replace("\n", "")
    assert "words: agent" in ended.err
    assert "influence" not in ended.out
    explained = doubleread("diagnose", image, "--panel", saved, "--explain")
    assert "influence" in explained.out
    assert "more:" not in explained.err
