"""Fills the places of the documentation that are derived from the code: the public names and the settings file."""

from typing import Any

import doubleread
from doubleread.settings import default_toml


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs with the text of each page."""
    if "{{ public_names }}" in markdown:
        markdown = markdown.replace("{{ public_names }}", _public_names())
    return markdown.replace("{{ default_settings }}", default_toml().strip())


def _public_names() -> str:
    """A table of ``doubleread.__all__``: each name with a link and the first sentence of its docstring."""
    lines = ["| name | what it is |", "|---|---|"]
    for name in doubleread.__all__:
        found = getattr(doubleread, name)
        about = (found.__doc__ or "").strip().partition("\n")[0]
        lines.append(f"| [`doubleread.{name}`][{found.__module__}.{found.__name__}] | {about} |")
    return "\n".join(lines)
