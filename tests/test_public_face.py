"""Every public name has a docstring whose examples run; the API reference lists them all and builds without warnings.

What is public stands on the pages of ``docs/reference``: a line ``::: module`` stands for the module's ``__all__``.
"""

import doctest
import inspect
import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from kit import photo, photo_folder

import doubleread
from doubleread.panel import Panel

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "reference").glob("*.md"))
SOURCES = ("agents", "orchestrator", "rag", "prompts", "evals")
NO_EXAMPLE = (Exception,)
"""Kinds of classes that need no example of their own."""


def listed():
    """What the reference lists: ``(name, object)``, a module before the names of its ``__all__``."""
    for page in PAGES:
        for name in re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
            home, _, last = name.rpartition(".")
            if callable(getattr(import_module(home), last, None)):
                yield name, getattr(import_module(home), last)
                continue
            module = import_module(name)
            yield name, module
            yield from ((f"{name}.{one}", getattr(module, one)) for one in module.__all__)


LISTED = dict(listed())
DEFINED = {name: one for name, one in LISTED.items() if inspect.isclass(one) or inspect.isfunction(one)}


def examples_of(name, one):
    """The examples in a name's docstring, and in those of a class's members."""
    finder = doctest.DocTestFinder(recurse=inspect.isclass(one), exclude_empty=True)
    return [found for found in finder.find(one, name) if found.examples]


def is_method(member):
    return inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod)


def is_protocol(one):
    return bool(getattr(one, "_is_protocol", False))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, saved, settings):
    """A folder as the examples assume it: images, a panel, and the panel's verdict on an image it has not seen."""
    folder = tmp_path_factory.mktemp("workshop")
    photo_folder(folder / "photos", 11)
    for name in ("leaf.jpg", "new.jpg"):
        photo(folder / name, 2, seed=500)
    shutil.copytree(saved, folder / "panel")
    with Panel.load(folder / "panel", settings=settings) as panel:
        verdict = panel.diagnose(folder / "leaf.jpg")
        yield folder, {"doubleread": doubleread, "panel": panel, "verdict": verdict, "profile": panel.profiles[0]}


@pytest.mark.parametrize("name", [name for name, one in LISTED.items() if examples_of(name, one)])
def test_the_examples_of_the_public_names_run(name, workshop, settings, monkeypatch):
    folder, names = workshop
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DOUBLEREAD_ENCODER__NAME", "efficientnet-lite0")
    monkeypatch.setenv("DOUBLEREAD_ENCODER__CACHE_DIR", settings.encoder.cache_dir)
    told = []
    for found in examples_of(name, LISTED[name]):
        found.globs = dict(names)
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found, out=told.append)
    assert not told, "".join(told)


@pytest.mark.parametrize("name", DEFINED)
def test_every_public_name_says_what_it_does(name):
    one = DEFINED[name]
    assert inspect.getdoc(one), f"{name} has no docstring"
    if inspect.isclass(one):
        own = [kind for kind in one.__mro__ if kind.__module__.startswith("doubleread")]
        members = [(key, member) for kind in own for key, member in vars(kind).items() if is_method(member)]
        bare = [key for key, member in members if key[0] != "_" and not member.__doc__]
        assert not bare, f"{name}: {bare} have no docstring"
    needs_example = not (inspect.isclass(one) and (issubclass(one, NO_EXAMPLE) or is_protocol(one)))
    assert examples_of(name, one) or not needs_example, f"{name} has no example"


def test_the_reference_lists_every_name_of_the_package():
    listed = list(LISTED.values())
    missing = [name for name in doubleread.__all__ if not any(getattr(doubleread, name) is one for one in listed)]
    assert not missing


def test_every_dotted_name_of_the_documents_is_there_after_a_plain_import():
    documents = (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    text = "\n".join(one.read_text(encoding="utf-8") for one in documents)
    named = sorted(
        set(re.findall(r"(?<![\w/.-])doubleread(?:\.[A-Za-z_]\w*)+(?![\w/])(?<!\.toml)", text)) - entry_points()
    )
    assert len(named) > 20
    code = "import sys, doubleread\nfrom functools import reduce\nfor name in sys.argv[1:]:\n"
    code += (
        "    try: reduce(getattr, name.split('.')[1:], doubleread)\n    except AttributeError as e: print(name, e)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, *named], capture_output=True, text=True, check=True)
    assert ran.stdout == ""


def entry_points():
    """The groups of entry points, which are written like modules."""
    return {
        f"doubleread.{name}" for name in ("actions", "calibrators", "encoders", "fusion_rules", "metrics", "stores")
    }


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'doubleread' has no attribute 'nothing'"):
        _ = doubleread.nothing
    with pytest.raises(AttributeError, match=r"module 'doubleread.evals' has no attribute 'nothing'"):
        _ = doubleread.evals.nothing


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The documentation, built as a site."""
    pytest.importorskip("mkdocstrings", reason="pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    package = folder / "sources" / "doubleread"
    package.mkdir(parents=True)
    for source in (*(ROOT / "doubleread").iterdir(), *(ROOT / name for name in SOURCES)):
        (package / source.name).symlink_to(source)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder / "site"]
    env = {**os.environ, "DOUBLEREAD_SOURCES": str(folder / "sources"), "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder / "site"


def test_the_site_has_every_public_name(site):
    text = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").glob("*.html"))
    assert not [name for name in LISTED if f'id="{name}"' not in text]


def test_the_site_asks_nothing_of_other_hosts(site):
    loads = re.compile(r"""<(?:script|img|source|iframe|link)\b[^>]*?\b(?:src|href|srcset)=["']?(?:https?:)?//""")
    assert not [page.name for page in site.rglob("*.html") if loads.search(page.read_text(encoding="utf-8"))]
    assert not [page.name for page in site.rglob("*.css") if re.search(r"url\(['\"]?(https?:)?//", page.read_text())]


def test_the_architecture_names_files_that_are_there():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    tops = (ROOT / name for name in ("doubleread", "benchmarks", "prompts", "tests", *SOURCES))
    files = [path.as_posix() for top in tops for path in top.rglob("*.*")]
    named = set(re.findall(r"`([\w/]+\.(?:py|toml))`", text))
    assert not [name for name in named if not any(file.endswith(f"/{name}") for file in files)]
