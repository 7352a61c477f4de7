"""What the writers of all formats share: a case with its copied file, and names that every file system takes."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from doubleread.core.case import Case
from doubleread.core.verdict import Verdict
from doubleread.evals.datasets.label_names import CALIBRATION, SUPPORT, TEST

SPLIT_FOLDERS = {SUPPORT: "train", CALIBRATION: "val", TEST: "test"}
"""What other tools call the splits."""
_LONGEST = 100
"""Longest name of a file or folder without its suffix, in bytes of UTF-8."""
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³])(?:\.|$)", re.IGNORECASE)


@dataclass(frozen=True)
class ExportedCase:
    """A case and its file in the export."""

    case: Case
    path: str
    """Relative to the export."""
    split: str = ""
    """Name of its split as other tools call it; empty if the cases have no splits."""
    size: tuple[int, int] = (0, 0)
    """Width and height, where the format needs them."""
    verdict: Verdict | None = None

    @property
    def facts(self) -> dict[str, str]:
        """Group, subject, split and source, where they are known."""
        case = self.case
        told = {"group": case.group, "subject": case.subject, "split": self.split, "source": case.source}
        return {name: value for name, value in told.items() if value}

    @property
    def guess(self) -> tuple[str, float] | None:
        """The panel's label and its probability; None where it gives no probability, as after an alarm."""
        if self.verdict is None or not self.verdict.posterior:
            return None
        likely = max(self.verdict.posterior, key=self.verdict.posterior.__getitem__)
        label = self.verdict.decision.label or likely
        return label, self.verdict.posterior.get(label, 0.0)


class ExportDraft(NamedTuple):
    """What a format is written from."""

    folder: Path
    """Where it is written; it becomes ``name`` when everything is there."""
    name: str
    cases: Sequence[ExportedCase]
    labels: Sequence[str]
    """All labels of cases and verdicts, sorted."""
    folders: Mapping[str, str]
    """Name of the folder of each label."""
    version: str
    """Which panel gave the verdicts."""


@dataclass(frozen=True)
class ExportFormat:
    """A format: where pictures go, and what is written beside them."""

    help: str
    place: Callable[[str, str], str]
    """The folder of a picture, from the names of its split and of its label's folder."""
    write: Callable[[ExportDraft], None]
    needs_label: bool = False
    needs_size: bool = False
    takes_verdicts: bool = False


def safe_name(text: str) -> str:
    """The text as a name that Windows, macOS and Linux take: without separators, reserved names and hidden names."""
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", text)).strip()
    name = name.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore").rstrip(" .") or "unnamed"
    if name.startswith("."):
        name = f"_{name[1:]}"
    return f"_{name}" if _RESERVED.match(name) else name


@dataclass
class UniqueNames:
    """Gives each name once, also where letters differ only in case or in how Unicode composes them."""

    _next: dict[str, int] = field(default_factory=dict)

    def folder(self, name: str) -> str:
        """The name as that of a folder, with a number at its end if it was given before."""
        return self._free(safe_name(name), "")

    def file(self, name: str, folder: str) -> str:
        """The name as that of a file in a folder; files whose names differ only in the suffix get a number too."""
        path = PurePosixPath(name)
        return f"{self._free(safe_name(path.stem), folder)}{_FORBIDDEN.sub('_', path.suffix).rstrip()[:20]}"

    def _free(self, name: str, folder: str) -> str:
        first = key = _key(folder, name)
        found = name
        while key in self._next:
            self._next[first] += 1
            found = f"{name}-{self._next[first]}"
            key = _key(folder, found)
        self._next[key] = 1
        return found


def _key(folder: str, name: str) -> str:
    return f"{folder}/{unicodedata.normalize('NFC', name).casefold()}"
