"""Prompts: strict, versioned, immutable once released, and the user's own go first."""

import hashlib
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from doubleread.cli.main import app
from doubleread.core.errors import PromptError
from doubleread.prompts.library import Library, built_in
from doubleread.prompts.prompt import parse

FOLDER = Path(__file__).parents[2] / "prompts"
RELEASED = tomllib.loads((FOLDER / "released.toml").read_text(encoding="utf-8"))
LABELS = [
    SimpleNamespace(name="rust", description="orange", letter="A"),
    SimpleNamespace(name="{{ evil }} {% x %}", description="", letter="B"),
]
VALUES = {
    "about": "Leaves.",
    "labels": LABELS,
    "number": 1,
    "label": "rust",
    "phrase": "rust",
    "evidence": "none",
    "note": "it was wet",
    "contested": ["rust", "scab"],
    "readers": [
        SimpleNamespace(name="reader 1", label="rust", confidence="", probabilities="", findings="", record="")
    ],
}


def prompt(text="[user]\nSay {{ word }}.\n", **head):
    fields = {"id": "mine", "version": 1, "purpose": "A test.", "variables": ["word"], **head}
    lines = "\n".join(f"{key} = {value!r}" for key, value in fields.items())
    return f"+++\n{lines}\n+++\n{text}".encode()


def test_a_released_prompt_never_changes():
    """Write a new version instead; a new file joins prompts/released.toml with its hash."""
    found = {file.stem: hashlib.sha256(file.read_bytes()).hexdigest() for file in (FOLDER / "library").glob("*.md")}
    assert found == RELEASED


@pytest.mark.parametrize("one", built_in(), ids=lambda one: one.ref)
def test_every_prompt_renders_whatever_the_labels_are_called(one):
    assert (FOLDER / "library" / f"{one.id}.v{one.version}.md").exists()
    for section in one.sections:
        text = one.render(section, **{name: VALUES[name] for name in one.variables})
        assert text
        if "in labels" in one.sections[section]:
            assert "rust" in text
            assert "{{ evil }} {% x %}" in text


@pytest.mark.parametrize("one", built_in(), ids=lambda one: one.ref)
def test_no_prompt_holds_a_filled_in_example_or_leans_on_an_earlier_answer(one):
    text = " ".join(one.sections.values()).lower()
    assert not re.search(r"0\.\d|\d\d ?%", text)
    for hint in ("for example", "e.g.", "previous", "reconsider", "your earlier", "are you sure", "expert said"):
        assert hint not in text


def test_paraphrases_ask_for_the_same_with_the_same_variables():
    library = Library()
    variants = library.variants_of("vlm-read")
    assert len(variants) >= 2
    assert {variant.variables for variant in variants} == {library.get("vlm-read").variables}


def test_what_is_given_must_be_declared_and_what_is_used_must_be_given():
    one = parse(prompt(), "here")
    assert one.render("user", word="yes") == "Say yes."
    with pytest.raises(PromptError, match="word is missing"):
        one.render("user")
    with pytest.raises(PromptError, match="tone is not declared"):
        one.render("user", word="yes", tone="kind")
    with pytest.raises(PromptError, match=r"no section \[answer\]; it has user"):
        one.render("answer", word="yes")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"Say hello.", "must begin with TOML"),
        (b"\xff\xfe", "is no prompt"),
        (prompt("Say {{ word }}."), "must stand in a section"),
        (prompt("[user]\nSay {{ word.\n"), "is no prompt"),
        (prompt("[user]\n{{ word }}\n[user]\nx\n"), "none twice"),
        (prompt("[user]\nSay {{ other }}.\n"), "undeclared: other, unused: word"),
        (prompt(variables=[]), "undeclared: word"),
        (prompt(id="No Good"), "is no prompt"),
        (prompt(version=0), "is no prompt"),
        (prompt(colour="red"), "is no prompt"),
    ],
)
def test_a_broken_prompt_is_told_apart_with_its_fault(data, fault):
    with pytest.raises(PromptError, match=fault) as caught:
        parse(data, "my/file.md")
    assert "my/file.md" in str(caught.value)


def test_a_prompt_can_do_nothing_but_text():
    one = parse(prompt("[user]\n{{ word.__class__.__mro__[1].__subclasses__() }}\n"), "here")
    with pytest.raises(PromptError, match="cannot be rendered"):
        one.render("user", word="x")
    missing = parse(prompt("[user]\n{{ word.nothing }}\n"), "here")
    with pytest.raises(PromptError, match="cannot be rendered"):
        missing.render("user", word="x")


def test_ones_own_folder_goes_first_and_higher_versions_before_lower(tmp_path):
    (tmp_path / "a.md").write_bytes(prompt("[user]\nMine: {{ word }}.\n", id="vlm-read", version=1))
    (tmp_path / "b.md").write_bytes(prompt("[user]\nNewer: {{ word }}.\n", id="vlm-read", version=3))
    library = Library(tmp_path)
    assert library.get("vlm-read").sections["user"].startswith("Newer")
    assert library.get("vlm-read@1").origin == str(tmp_path / "a.md")
    assert library.get("form-letter").origin == "built in"
    pinned = Library(tmp_path, {"vlm-read": 1})
    assert pinned.get("vlm-read").version == 1
    assert {"version": 1, "sha256": pinned.get("vlm-read").sha256} == pinned.hashes()["vlm-read"]


def test_what_is_not_there_is_told_with_what_is(tmp_path):
    with pytest.raises(PromptError, match=r"unknown prompt 'vlm-raed'; known: .*vlm-read"):
        Library().get("vlm-raed")
    with pytest.raises(PromptError, match="known: vlm-read@1"):
        Library().get("vlm-read@9")
    with pytest.raises(PromptError, match="does not exist"):
        Library(tmp_path / "none")
    (tmp_path / "bad.md").write_text("no prompt")
    with pytest.raises(PromptError, match=r"bad\.md"):
        Library(tmp_path)


def test_prompts_can_be_looked_at(tmp_path):
    (tmp_path / "own.md").write_bytes(prompt(id="form-letter", version=2))
    runner = CliRunner()
    listed = runner.invoke(app, ["prompts", "list", "--folder", str(tmp_path)], env={"COLUMNS": "200"})
    assert listed.exit_code == 0
    assert "vlm-reconsider" in listed.output
    assert str(tmp_path)[:20] in listed.output
    shown = runner.invoke(app, ["prompts", "show", "vlm-read@1"])
    assert "[system]" in shown.output
    assert Library().get("vlm-read").ref in shown.output
    differing = runner.invoke(app, ["prompts", "diff", "form-letter", "--folder", str(tmp_path)])
    assert differing.exit_code == 1
    assert "+Say {{ word }}." in differing.output
    same = runner.invoke(app, ["prompts", "diff", "vlm-read", "vlm-read@1"])
    assert same.exit_code == 0
    assert "are the same" in same.output
