"""Glossary words on pages: linked once, everything else escaped."""

from markupsafe import Markup

from doubleread.core.glossary import TERMS
from doubleread.render.glossary_html import explained, glossary_html, with_meanings


def test_the_first_use_of_each_word_is_a_link_to_its_meaning():
    html = explained("All agents agree; 2 agents were tested on calibration images", "/words")
    assert html.count('href="/words#word-agent"') == 1
    assert html.count('href="/words#word-calibration-images"') == 1
    assert "word-calibrated" not in html
    assert f'title="{TERMS[0].meaning}"' in html


def test_text_is_escaped_and_markup_is_left_alone():
    assert explained("<b> & an agent").startswith("&lt;b&gt; &amp; an <a ")
    assert explained(Markup("<b>agent</b>")) == "<b>agent</b>"
    assert with_meanings("'ECE'").startswith("&#39;<abbr ")


def test_the_section_has_an_anchor_for_every_link():
    section = glossary_html()
    for term in TERMS:
        assert f'id="{term.anchor}"' in section
        assert f'href="#{term.anchor}"' in explained(term.name)
    assert "id=" not in glossary_html(["an agent"], anchors=False)
    assert glossary_html(["an agent"]).count("<dt") == 1
