"""Every command and snippet of README and documentation runs, in the order in which a reader meets them.

There is one folder with the reader's own pictures, and nothing else: ``photos/`` and ``more-photos/`` with one
sub-folder a label, ``new/`` with images that have no label, and ``new.jpg``, ``new1.jpg``, ``new2.jpg``. Blocks of
the languages ``bash`` and ``python`` are run. Other blocks may hold a command only if the page says before them what it
needs.
"""

import os
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from docs_kit import NOT_RUN, ROOT, Reader, blocks, known, pages
from leaf_pictures import LABELS, leaf, leaf_folder

pytestmark = pytest.mark.integration
A_LABEL = 12
QUICK = {"DOUBLEREAD_ENCODER__NAME": "colour-texture", "DOUBLEREAD_TRUST__FOLDS": "2"}
"""Commands are what is tested here, not how good the panel is: a hundred of them shall take minutes."""
COMMAND = re.compile(r"^[$>\s]*(?:[A-Z_]+=\S+ )*(?:doubleread|make) .*$", re.MULTILINE)
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def run_pages():
    """Pages with something to run."""
    return [page for page in pages() if any(block.language in ("bash", "python") for block in blocks(page))]


def not_run():
    """Commands in blocks that are run, but not these."""
    for page in pages():
        for block in blocks(page):
            for line, command in block.commands() if block.language == "bash" else ():
                if rule := known(command, NOT_RUN):
                    yield pytest.param(command, rule, id=f"{page}:{line}")


def shown_only():
    """Blocks with commands in a language that is not run."""
    for page in pages():
        for block in blocks(page):
            if block.language not in ("bash", "python") and COMMAND.search(block.text):
                yield pytest.param(block, id=f"{page}:{block.line}")


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A reader with their pictures and a configuration of their own."""
    base = tmp_path_factory.mktemp("docs")
    folder = base / "work"
    leaf_folder(folder / "photos", A_LABEL)
    leaf_folder(folder / "more-photos", 6, seed=10_000)
    for i in range(24):
        leaf(folder / "new" / f"IMG_{i:04}.jpg", LABELS[i % 4], seed=20_000 + i)
    for name, label in (("new", "rust"), ("new1", "healthy"), ("new2", "scab")):
        leaf(folder / f"{name}.jpg", label, seed=30_000 + len(label))
    shutil.copytree(ROOT / "docs" / "settings", folder / "docs" / "settings")
    (folder / ".venv").symlink_to(sys.prefix)
    env = {key: value for key, value in os.environ.items() if not key.startswith(("DOUBLEREAD_", "OPENAI_"))}
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "HF_HOME", "HOME", "TMPDIR"):
        (base / name).mkdir()
        env[name] = str(base / name)
    bin_folder = Path(sys.executable).parent
    assert (bin_folder / "doubleread").exists(), "install doubleread into this environment first"
    return Reader(folder, env | QUICK | {"PATH": f"{bin_folder}{os.pathsep}{env['PATH']}", "HF_HUB_OFFLINE": "1"})


@pytest.mark.parametrize("page", run_pages())
def test_every_command_and_snippet_runs(page, reader):
    if "README.md" not in reader.done | {page}:  # other pages go on from where it ends
        reader.follow("README.md")
    if failed := reader.follow(page):
        pytest.fail(f"{len(failed)} of this page do not run:\n\n" + "\n\n".join(failed), pytrace=False)
    assert page in reader.done


@pytest.mark.parametrize(("command", "rule"), list(not_run()))
def test_what_is_not_run_is_listed(command, rule):
    if rule == "pip" and "doubleread" in command:
        pytest.fail(f"doubleread is in no package registry: {command}")
    unknown = {name for extras in re.findall(r"\.\[([\w,]+)\]", command) for name in extras.split(",")} - set(EXTRAS)
    assert not unknown, f"there is no extra {unknown}: {command}"
    pytest.skip(f"{command}: {NOT_RUN[rule]}")


@pytest.mark.parametrize("block", list(shown_only()))
def test_a_command_that_is_only_shown_has_a_sentence_that_says_what_it_needs(block):
    sentences = re.split(r"(?<=[.:])\s", block.before)
    needs = [one for one in sentences if re.search(r"\b(?:needs?|requires?)\b", one)]
    assert needs, f"say before the block what {COMMAND.search(block.text)[0].strip()!r} needs, or fence it as bash"
    pytest.skip(" ".join(needs))
