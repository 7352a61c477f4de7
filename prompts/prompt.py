"""One prompt file: front matter in TOML between ``+++`` lines, then the text in sections.

    +++
    id = "vlm-read"
    version = 1
    purpose = "First reading of an image."
    variables = ["about", "labels"]
    +++
    [system]
    …
    [user]
    … {{ about }} …

Sections are Jinja2. Rendering is strict: what is used must be declared, what is declared must be used, and what is
given must be declared. Values are data: they are never rendered themselves.
"""

import hashlib
import re
from functools import cached_property, lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import SandboxedEnvironment
from pydantic import Field, ValidationError

from doubleread.core.base import Record
from doubleread.core.errors import FileError, PromptError
from doubleread.core.safe_text import parse_toml

SECTIONS = ("system", "user", "reference", "case", "answer")
_HEAD = re.compile(r"\A\+\+\+\n(.*?)\n\+\+\+\n(.*)\Z", re.DOTALL)
_SECTION = re.compile(rf"^\[({'|'.join(SECTIONS)})\]\n", re.MULTILINE)
_JINJA = SandboxedEnvironment(
    undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=False, autoescape=False
)  # autoescape is for HTML; this text goes to models


class Prompt(Record):
    """A prompt file; ``sha256`` is that of the file."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    version: int = Field(ge=1)
    purpose: str
    variables: tuple[str, ...] = ()
    variant_of: str | None = None
    """Id of the prompt that this one paraphrases."""
    sections: dict[str, str]
    sha256: str
    origin: str = "built in"

    @property
    def ref(self) -> str:
        """``vlm-read@1#1a2b3c4d``: id, version, and the beginning of the hash."""
        return f"{self.id}@{self.version}#{self.sha256[:8]}"

    @property
    def name(self) -> str:
        """``vlm-read@1``: how settings name it."""
        return f"{self.id}@{self.version}"

    @property
    def compares(self) -> bool:
        """Whether it shows references, as a second look does."""
        return "reference" in self.sections

    def render(self, section: str, **values: Any) -> str:
        """Renders a section; raises ``PromptError`` for missing or undeclared values."""
        if section not in self.sections:
            raise PromptError(f"prompt {self.ref} has no section [{section}]; it has {', '.join(self.sections)}")
        missing, unknown = self._used[section] - set(values), set(values) - set(self.variables)
        if missing or unknown:
            wrong = [f"{name} is missing" for name in sorted(missing)] + [
                f"{n} is not declared" for n in sorted(unknown)
            ]
            raise PromptError(f"prompt {self.ref} [{section}]: {', '.join(wrong)}")
        try:
            return _compiled(self.sections[section]).render(**values).strip()
        except (TemplateError, TypeError) as error:
            raise PromptError(f"prompt {self.ref} [{section}] cannot be rendered: {error}") from None

    @cached_property
    def _used(self) -> dict[str, set[str]]:
        return {name: _variables(text) for name, text in self.sections.items()}


def parse(data: bytes, origin: str) -> Prompt:
    """Parses a prompt file; raises ``PromptError`` with the reason if it is invalid."""
    try:
        head, body = _split(data.decode("utf-8"))
        sections = _sections(body)
        sha = hashlib.sha256(data).hexdigest()
        prompt = Prompt.model_validate(
            {**parse_toml(head, "its head"), "sections": sections, "sha256": sha, "origin": origin}
        )
        used = set().union(*(_variables(text) for text in sections.values()))
    except (FileError, ValidationError, ValueError, TemplateError, RecursionError) as error:
        raise PromptError(f"{origin} is no prompt: {' '.join(str(error).split())[:300]}") from None
    if used != set(prompt.variables):
        undeclared, unused = sorted(used - set(prompt.variables)), sorted(set(prompt.variables) - used)
        raise PromptError(
            f"{origin}: variables must name what the text uses; undeclared: {', '.join(undeclared) or 'none'}, "
            f"unused: {', '.join(unused) or 'none'}"
        )
    return prompt


def _split(text: str) -> tuple[str, str]:
    found = _HEAD.match(text.replace("\r\n", "\n"))
    if found is None:
        raise ValueError("it must begin with TOML between two lines of +++")
    return found[1], found[2]


def _sections(body: str) -> dict[str, str]:
    parts = _SECTION.split(body)
    if parts[0].strip():
        raise ValueError(f"text must stand in a section: [{'], ['.join(SECTIONS)}]")
    names, texts = parts[1::2], parts[2::2]
    if not names or len(set(names)) < len(names):
        raise ValueError("it needs at least one section, and none twice")
    return dict(zip(names, texts, strict=True))


@lru_cache(maxsize=256)
def _compiled(text: str) -> Template:
    """Cached: compiling takes a hundred times as long as rendering."""
    return _JINJA.from_string(text)


def _variables(text: str) -> set[str]:
    return meta.find_undeclared_variables(_JINJA.parse(text))
