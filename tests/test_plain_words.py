"""Texts that users read use the field's terms: phrases that need two readings do not come back."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("agents", "doubleread", "evals", "orchestrator", "prompts", "rag")
BANNED = {
    r"trusted on": "like (or unlike) the calibration images",
    r"(?:trust|accuracy)\w* (?:is|will be|may be) flattered": "the measured accuracy will be too high",
    r"in hindsight|hindsight would choose": "best on the test data",
    r"least cross-fitted|cross-?fitt(?:ed|ing)": "cross-validated",
    r"sampling floor|what chance would show|as perfect calibration would": "chance level",
    r"cannot be excluded": "cannot be ruled out",
    r"leaning to": "probably",
    r"nobody is asked|asked nobody|nobody spoke": "no model is called; gave no answer",
    r"goes on where it was|goes on from here": "resumes",
    r"speaks? louder": "has more influence",
    r"encode(?:s|d)? anew|begun anew": "re-encode",
    r"no group key": "no groups given",
    r"moves this verdict": "influence",
    r"how many ?eyes|many eyes": "image features",
    r"shots of one object": "images of one object",
}
"""Patterns, and what is said instead."""
_FORMULAE = re.compile(r"^(?:select|insert|create|pragma|<|\.|#)", re.IGNORECASE)


def spoken(tree):
    """The texts of a module that reach people: strings of four words or more that are no docstrings."""
    parts = {id(part) for one in ast.walk(tree) if isinstance(one, ast.JoinedStr) for part in one.values}
    bare = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    for one in ast.walk(tree):
        if isinstance(one, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in one.values)
        elif isinstance(one, ast.Constant) and isinstance(one.value, str) and not {id(one)} & (parts | bare):
            yield one.value


def commands(tree):
    """The docstrings of commands, which are their help."""
    for one in ast.walk(tree):
        if isinstance(one, ast.FunctionDef) and any("command" in ast.unparse(by) for by in one.decorator_list):
            yield ast.get_docstring(one) or ""


def texts():
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*")):
            if file.suffix == ".py":
                tree = ast.parse(file.read_text(encoding="utf-8"))
                said = (*spoken(tree), *commands(tree))
                yield file, "\n".join(text for text in said if len(text.split()) > 3 and not _FORMULAE.match(text))
            elif file.suffix in (".html", ".js", ".toml", ".md") and "library" not in file.parts:
                yield file, file.read_text(encoding="utf-8")
    for page in (
        ROOT / "README.md",
        ROOT / "SECURITY.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    ):
        yield page, page.read_text(encoding="utf-8")


TEXTS = dict(texts())


@pytest.mark.parametrize("phrase", BANNED)
def test_a_phrase_that_needs_two_readings_is_nowhere(phrase):
    pattern = re.compile(phrase.replace(" ", r"\s+"), re.IGNORECASE)
    found = [f"{file.relative_to(ROOT)}: {hit[0]}" for file, text in TEXTS.items() for hit in pattern.finditer(text)]
    assert not found, f"say {BANNED[phrase]!r}: {found}"


def test_the_texts_are_read():
    assert len(TEXTS) > 400
    assert "Fit a panel on labelled images" in TEXTS[ROOT / "doubleread" / "cli" / "cmd_fit.py"]
    assert "gave no answer" in TEXTS[ROOT / "orchestrator" / "course" / "arbiter.py"]
