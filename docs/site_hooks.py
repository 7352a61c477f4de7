"""Fills the places of the documentation that are derived from the code or from files at the top of the repository."""

import re
from pathlib import Path
from typing import Any

import doubleread
from doubleread.settings import default_toml

ROOT = Path(__file__).parents[1]
AT_TOP = ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")
"""Files that are pages of the site too: ``docs/contributing.md`` has only the line ``{{ CONTRIBUTING.md }}``."""


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs with the text of each page."""
    for name in AT_TOP:
        if f"{{{{ {name} }}}}" in markdown:
            markdown = _as_page((ROOT / name).read_text(encoding="utf-8"))
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
