"""The README's commands and examples work; the package ships what it needs; no path of one machine in it."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from typer.main import get_command

from benchmarks.bench_structure import structure
from doubleread.cli.main import app
from doubleread.evals.datasets.task_file import read_task_file
from doubleread.panel.composition import check_names
from doubleread.settings import load_settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


GUIDES = [page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md"))]
MODELS = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def blocks(language, text=README):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def shell_lines(text=README):
    return [line.split("#")[0].strip() for block in blocks("bash", text) for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize(
    "line", [n for text in (README, *GUIDES) for n in shell_lines(text) if n.startswith("doubleread")]
)
def test_every_doubleread_command_in_the_documents_parses(line):
    words = shlex.split(re.split("[<>|]", line)[0])[1:]
    command = get_command(app).commands[words.pop(0)]
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)  # raises for an unknown option or a missing argument


@pytest.mark.parametrize("file", sorted((ROOT / "docs" / "settings").glob("*.toml")), ids=lambda file: file.name)
def test_the_example_settings_load_and_name_a_panel_that_can_be_seated(file):
    if file.name == "task.toml":
        assert read_task_file(file).about
        return
    settings = load_settings(file)
    check_names(settings)
    assert set(settings.vlm) & set(settings.panel.agents)
    assert settings.trust.calibrator in ("auto", "temperature", "vector", "beta")


@pytest.mark.parametrize("block", blocks("toml", MODELS))
def test_the_settings_in_the_documents_load(block, tmp_path):
    (tmp_path / "s.toml").write_text(block)
    settings = load_settings(tmp_path / "s.toml")
    assert settings.recorded or settings.vlm


@pytest.mark.parametrize("line", [line for line in shell_lines() if line.startswith("make")])
def test_every_make_target_in_the_readme_exists(line):
    assert re.search(rf"^{line.split()[1]}:", MAKEFILE, flags=re.MULTILINE)


def test_ci_runs_the_readme_test_command_and_every_test_is_in_one_of_three():
    assert "make test" in shell_lines()
    runs = ["make test", "make test-integration", "make test-servers"]
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-3:] == runs
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    chosen = re.findall(r"pytest.* -m (\"[^\"]+\"|\w+)|PYTEST\) -m (\"[^\"]+\"|\w+)", MAKEFILE)
    assert ["".join(one) for one in chosen] == ['"not integration and not servers"', "integration", "servers"]


def test_every_link_and_picture_of_the_documents_is_there():
    for document in (*sorted(ROOT.glob("[A-Z]*.md")), *sorted((ROOT / "docs").rglob("*.md"))):
        text = document.read_text(encoding="utf-8")
        targets = re.findall(r"\]\((?!https?:)([^)]+)\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text)
        for target in targets:
            name, _, heading = target.partition("#")
            there = document.parent / name if name else document
            assert there.exists(), f"{document.name} points to {target}"
            assert not heading or heading in headings(there), f"{document.name} points to {target}"


def headings(document):
    """The names under which a document's headings and anchors are linked."""
    text = document.read_text(encoding="utf-8")
    if made_from := re.fullmatch(r"\{\{ (\S+\.md) \}\}\s*", text):
        text = (ROOT / made_from[1]).read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if line.startswith("#"))
    named = {re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in lines}
    return named | set(re.findall(r'<a id="([^"]+)"', text))


def test_every_package_and_data_file_is_shipped():
    mapping, listed = PROJECT["tool"]["setuptools"]["package-dir"], set(PROJECT["tool"]["setuptools"]["packages"])
    found = {}
    for package, folder in mapping.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            found[".".join((package, *inner))] = init.parent
    assert listed == found.keys()
    data = PROJECT["tool"]["setuptools"]["package-data"]
    for package in listed:
        folder = found[package]
        beside = [f for f in folder.iterdir() if f.is_file() and f.suffix not in (".py", ".pyc")]
        shipped = {f for pattern in data.get(package, []) for f in folder.glob(pattern)}
        assert set(beside) <= shipped, (
            f"{package}: {[f.name for f in beside if f not in shipped]} would not be installed"
        )


@pytest.mark.integration
def test_the_wheel_holds_the_packages_and_no_benchmarks(tmp_path):
    source = tmp_path / "source"
    mapping = PROJECT["tool"]["setuptools"]["package-dir"]
    for folder in ("benchmarks", "tests", *mapping.values()):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    build = [sys.executable, "-m", "pip", "wheel", source, "--no-deps", "--no-build-isolation", "-w", tmp_path]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"doubleread"}
    shipped = {name.rpartition("/")[0].replace("/", ".") for name in names if name.endswith("/__init__.py")}
    assert shipped == set(PROJECT["tool"]["setuptools"]["packages"])
    assert not [name for name in names if "benchmark" in name]


def test_import_and_help_load_nothing_heavy():
    program = (
        "import sys, doubleread, doubleread.cli.main, doubleread.panel.composition, doubleread.settings\n"
        "heavy = {'torch', 'chromadb', 'netcal', 'open_clip', 'timm', 'sklearn', 'langgraph', 'openai', 'uvicorn'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_pinned_versions_satisfy_the_lower_bounds():
    from packaging.requirements import Requirement

    pins = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"
    )
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [Requirement(r) for r in (*PROJECT["project"]["dependencies"], *(r for e in extras for r in e))]
    for requirement in wanted:
        if requirement.name != "doubleread":
            pinned = pins.get(requirement.name) or pins[requirement.name.replace("jinja2", "Jinja2")]
            assert requirement.specifier.contains(pinned), requirement.name


def modules():
    """Module name and file of everything that is not a test."""
    for package, folder in PROJECT["tool"]["setuptools"]["package-dir"].items():
        for file in sorted((ROOT / folder).rglob("*.py")):
            inner = file.relative_to(ROOT / folder).with_suffix("").parts
            yield ".".join((package, *inner)).removesuffix(".__init__"), file


def imported(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)


def test_private_modules_are_imported_in_their_own_folder_only():
    found = dict(modules())
    private = {name for name in found if re.search(r"\._[a-z]", name)}
    assert len(private) > 50
    for name, file in found.items():
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        strangers = [one for one in private.intersection(imported(file)) if one.rpartition(".")[0] != package]
        assert not strangers, f"{name} imports {strangers}: rename them without the underscore, or move them"


def test_files_are_short_and_names_are_rarely_used_twice():
    found = {figure.name: figure for figure in structure()}
    assert all(figure.met for name, figure in found.items() if name != "structure.lines")
    assert len(found) == 6
