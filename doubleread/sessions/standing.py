"""What a session knows at one moment: its images, what was said of them, and which is talked about."""

from dataclasses import dataclass, field

from doubleread.core.case import Case
from doubleread.core.verdict import Verdict
from doubleread.panel import Panel


@dataclass(frozen=True)
class CaseSeen:
    """One image of the session and the verdicts on it, the last reading's last."""

    case: Case
    name: str
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True)
class Standing:
    """What actions look at; they change nothing of it."""

    panel: Panel
    cases: dict[str, CaseSeen] = field(default_factory=dict)
    """By case id, in the order in which they joined."""
    current: str | None = None
    """The image talked about."""
    decided: dict[str, str] = field(default_factory=dict)
    """What a person said is true, by case id."""
