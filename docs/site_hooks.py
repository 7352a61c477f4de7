"""Fills what is derived: public names, settings, pages made from notebooks and from files at the top."""

import json
import re
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import doubleread
from doubleread.settings import default_toml

ROOT = Path(__file__).parents[1]
AT_TOP = ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")
"""Files that are pages of the site too: ``docs/contributing.md`` has only the line ``{{ CONTRIBUTING.md }}``."""


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Called by MkDocs with all files: adds a page for each notebook, which stays there to be downloaded."""
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        page = notebook_page(Path(str(file.abs_src_path)))
        files.append(File.generated(config, file.src_uri.replace(".ipynb", ".md"), content=page))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs with the text of each page."""
    for name in AT_TOP:
        if f"{{{{ {name} }}}}" in markdown:
            markdown = _as_page((ROOT / name).read_text(encoding="utf-8"))
    markdown = re.sub(r"(\]\([^)\s]*\d\d-[\w-]+)\.ipynb\)", r"\1.md)", markdown)
    if "{{ public_names }}" in markdown:
        markdown = markdown.replace("{{ public_names }}", _public_names())
    return markdown.replace("{{ default_settings }}", default_toml().strip())


def _as_page(text: str) -> str:
    """Points links from the top of the repository at the site's pages."""
    text = re.sub(r"\]\(docs/", "](", text)
    for name in AT_TOP:
        text = text.replace(f"]({name}", f"]({name.lower()}")
    return text


def _public_names() -> str:
    """A table of ``doubleread.__all__``: each name with a link and the first sentence of its docstring."""
    lines = ["| name | what it is |", "|---|---|"]
    for name in doubleread.__all__:
        found = getattr(doubleread, name)
        about = (found.__doc__ or "").strip().partition("\n")[0]
        lines.append(f"| [`doubleread.{name}`][{found.__module__}.{found.__name__}] | {about} |")
    return "\n".join(lines)


def notebook_page(file: Path) -> str:
    """A notebook as Markdown: text, code, and the outputs that are stored in it."""
    parts = []
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        parts += [_shown(output) for output in cell.get("outputs", ())]
    return "\n\n".join((*parts, f'<a href="{file.name}" download>Download this notebook</a>\n'))


def _shown(output: dict[str, Any]) -> str:
    """One output of a cell: a card, a picture, or plain text."""
    data = {kind: "".join(said) for kind, said in output.get("data", {}).items()}
    if "text/html" in data:
        alone = re.sub(r"\n\s*", "\n", data["text/html"])  # in a tree of its own, where the site's styles do not reach
        inner = f'<template shadowrootmode="open">{alone}</template>'
    elif "image/png" in data:
        inner = f'<img alt="" src="data:image/png;base64,{data["image/png"].strip()}">'
    else:
        inner = f"<pre>{escape(data.get('text/plain', ''.join(output.get('text', ()))).strip())}</pre>"
    return f'<div class="output">{inner}</div>'
