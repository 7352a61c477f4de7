"""The README is short, and a layperson can read its beginning."""

import re

from benchmarks.bench_first_hour import README, readme
from benchmarks.jargon import explanation, kinds


def test_the_readme_is_short_and_has_little_jargon():
    found = {figure.name: figure for figure in readme()}
    assert found.keys() == {"readme.lines", "readme.jargon"}
    assert all(figure.met for figure in found.values()), found


def test_each_kind_of_jargon_at_the_beginning_is_linked_to_the_glossary():
    text = README.read_text(encoding="utf-8")
    beginning = " ".join(re.sub(r"\]\([^)]*\)", "]", text).split()[:400])
    entries = {kind: explanation(kind) for kind in kinds([beginning])}
    assert entries
    missing = [kind for kind, term in entries.items() if term is None or f"docs/glossary.md#{term.anchor}" not in text]
    assert not missing
