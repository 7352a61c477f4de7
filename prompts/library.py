"""All prompts by id and version: built-in ones, and those of the user's folder, which take precedence."""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from doubleread.core.errors import FileError, PromptError
from doubleread.core.safe_files import read_bytes
from doubleread.core.safe_text import MAX_TOML
from doubleread.core.types import Json
from doubleread.prompts.prompt import Prompt, parse


class Library:
    """Built-in prompts and, if given, those in a folder of the user's (``*.md``).

    A file with the id and version of a built-in prompt replaces it. The highest version is used unless ``pins`` names
    another: a fitted panel keeps the versions that it was fitted with. Raises ``PromptError`` for an unusable folder or
    file.
    """

    def __init__(self, folder: Path | None = None, pins: Mapping[str, int] | None = None) -> None:
        self._pins = dict(pins or {})
        self._by_id: dict[str, dict[int, Prompt]] = defaultdict(dict)
        for prompt in (*built_in(), *(_own(folder) if folder else ())):
            self._by_id[prompt.id][prompt.version] = prompt

    def get(self, name: str) -> Prompt:
        """Returns the prompt ``id`` (pinned, else the highest version) or ``id@version``; raises ``PromptError``."""
        wanted, _, version = name.partition("@")
        versions = self._by_id.get(wanted, {})
        if not version and versions:
            version = str(self._pins.get(wanted, max(versions)))
        if version.isdigit() and int(version) in versions:
            return versions[int(version)]
        known = ", ".join(f"{wanted}@{v}" for v in sorted(versions)) or ", ".join(sorted(self._by_id))
        raise PromptError(f"unknown prompt {name!r}; known: {known}")

    def all(self) -> tuple[Prompt, ...]:
        """All versions of all prompts, by id."""
        return tuple(versions[v] for _, versions in sorted(self._by_id.items()) for v in sorted(versions))

    def current(self) -> tuple[Prompt, ...]:
        """The prompt in use for every id."""
        return tuple(self.get(one) for one in sorted(self._by_id))

    def variants_of(self, id: str) -> tuple[Prompt, ...]:
        """Paraphrases of a prompt, by id."""
        return tuple(prompt for prompt in self.current() if prompt.variant_of == id)

    def hashes(self) -> Json:
        """Version and hash of every prompt in use, for the record of a run."""
        return {prompt.id: {"version": prompt.version, "sha256": prompt.sha256} for prompt in self.current()}


@cache
def built_in() -> tuple[Prompt, ...]:
    """The prompts of this package."""
    folder = files("doubleread.prompts").joinpath("library")
    return tuple(
        parse(file.read_bytes(), "built in")
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.name.endswith(".md")
    )


def _own(folder: Path) -> tuple[Prompt, ...]:
    if not folder.is_dir():
        raise PromptError(f"prompt folder {folder} does not exist: make it, or set prompts.folder to another")
    try:
        return tuple(parse(read_bytes(file, limit=MAX_TOML), str(file)) for file in sorted(folder.glob("*.md")))
    except FileError as error:
        raise PromptError(str(error)) from None
