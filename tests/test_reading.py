"""Files that somebody else may have written are read through ``core.safe_files`` and ``core.safe_text`` alone."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("agents", "doubleread", "evals", "orchestrator", "prompts", "rag")
SAFE = {
    "doubleread/core/safe_files.py": "it is the safe reader",
    "doubleread/core/safe_text.py": "it is the safe reader",
    "doubleread/core/durable.py": "syncs what it has just written",
}
READERS = {
    "agents/wire/values.py": "replies of servers, whose size and nesting are bounded before",
    "doubleread/panel/panel_manifest.py": "digests of what was just written",
    "doubleread/web/_downloads.py": "the export that was just made",
    "doubleread/sessions/_storage.py": "lock files, made by the same folder of sessions",
    "evals/public/_unpack.py": "a file whose sha256 was checked, held against the archive that it came from",
    "evals/reproduction/paper_tables.py": "figures of the package",
    "prompts/library.py": "prompts of the package",
    "rag/care/auditing.py": "tags in a database whose rows are sealed",
    "rag/care/bundle.py": "digests of what was just written",
    "rag/stores/ledger_folder.py": "the first bytes of a file that was just made sure of",
    "rag/stores/_loading.py": "tags in a database whose rows are sealed",
    "rag/stores/seal.py": "the seal itself, whose errors are damage",
}
"""Modules that read in another way, and why that is safe."""
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "benchmarks" not in path.parts
)


def reads(source):
    """The lines in which a module opens or parses a file by itself; resources of packages aside."""
    return [node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and _reads(node)]


def _reads(call):
    name = ast.unparse(call.func)
    if "files('doubleread" in name or any("files('doubleread" in ast.unparse(one) for one in call.args):
        return False
    if name in ("json.load", "json.loads", "np.load", "np.memmap", "tomllib.load", "tomllib.loads", "tarfile.open"):
        return True
    if name in ("ZipFile", "zipfile.ZipFile"):
        return not any(isinstance(one, ast.Constant) and one.value == "w" for one in call.args)
    if name.split(".")[-1] in ("read_text", "read_bytes"):
        return isinstance(call.func, ast.Attribute)
    mode = call.args[1:2] if name == "open" else call.args[:1]
    if name != "open" and not (isinstance(call.func, ast.Attribute) and call.func.attr == "open"):
        return False
    if mode and isinstance(mode[0], ast.Constant):
        return isinstance(mode[0].value, str) and mode[0].value.startswith("r")
    return not mode and (name == "open" or any(one.arg == "encoding" for one in call.keywords))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("path.read_text()", True),
        ("(folder / 'x').read_bytes()", True),
        ("path.open(encoding='utf-8')", True),
        ("path.open('rb')", True),
        ("open(path)", True),
        ("json.loads(line)", True),
        ("np.load(file)", True),
        ("path.open('wb')", False),
        ("images.open(case)", False),
        ("read_bytes(path)", False),
        ("files('doubleread.web').joinpath('a.css').read_text()", False),
    ],
)
def test_readers_are_found(source, found):
    assert bool(reads(source)) is found


@pytest.mark.parametrize("module", MODULES)
def test_a_module_reads_through_the_safe_reader(module):
    found = reads((ROOT / module).read_text(encoding="utf-8"))
    if module in SAFE.keys() | READERS.keys():
        return
    assert not found, f"{module}, line {found[0]}: read it with core.safe_files or core.safe_text"


def test_the_list_of_exceptions_holds_no_other_modules():
    stale = [one for one in READERS if not (ROOT / one).exists() or not reads((ROOT / one).read_text(encoding="utf-8"))]
    assert stale == []
