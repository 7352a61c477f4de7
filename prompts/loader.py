"""Prompt files by id, with the hash that every run records."""

import hashlib
import tomllib
from importlib.resources import files

from doubleread.core.base import Record


class TemplateSet(Record):
    """Prompt templates, each with one ``{}`` for a label phrase; ``sha256`` is that of the file."""

    id: str
    version: int
    purpose: str
    templates: tuple[str, ...]
    sha256: str


def load_templates(id: str) -> TemplateSet:
    """The template set of that id, from the files beside this one."""
    data = files("doubleread.prompts").joinpath(f"{id}.toml").read_bytes()
    return TemplateSet.model_validate({**tomllib.loads(data.decode()), "sha256": hashlib.sha256(data).hexdigest()})
