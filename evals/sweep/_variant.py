"""One way the panel could have been: who sits on it, what fuses it, when it asks further, what decisions cost."""

from doubleread.core.base import Record
from doubleread.rag.nearest_cases import Weighting
from doubleread.settings import Settings


class Variant(Record):
    """A panel, by the settings that a sweep can vary; ``doubleread sweep --help`` says what each means.

    Examples:
        >>> from pathlib import Path
        >>> from doubleread.evals.sweep import RecordedAnswers
        >>> from doubleread.panel.panel_folder import read_panel
        >>> recorded = RecordedAnswers.of(read_panel(Path("panel"), None))
        >>> recorded.first.model_copy(update={"referral": 0.05}).name(recorded.first)
        'referral=0.05'
    """

    agents: tuple[str, ...]
    rule: str
    calibrator: str
    max_share: float
    cascade: float
    referral: float
    max_risk: float | None = None
    k: int | None = None
    """The neighbours agent votes among so many nearest cases; None: it weighs the best cases of each label."""
    top: int = Weighting.model_fields["top"].default
    local: int = Weighting.model_fields["local"].default

    @classmethod
    def as_it_is(cls, settings: Settings, referral: float, weighting: Weighting) -> "Variant":
        """The panel that was fitted."""
        return cls(
            agents=settings.panel.agents,
            rule=settings.fusion.rule,
            calibrator=settings.trust.calibrator,
            max_share=settings.second_look.max_share if settings.second_look.max_rounds > 1 else 0.0,
            cascade=settings.cascade.max_share,
            referral=referral,
            max_risk=settings.trust.max_risk,
            top=weighting.top,
            local=weighting.local,
        )

    @property
    def learned(self) -> tuple[object, ...]:
        """What calibrators and fusion are learned for: variants alike in it share their fits."""
        return self.agents, self.rule, self.calibrator, *self.neighbours

    @property
    def neighbours(self) -> tuple[int | None, int, int]:
        """How the neighbours agent weighs similar cases."""
        return self.k, self.top, self.local

    def name(self, first: "Variant") -> str:
        """What sets it apart from the first variant, in words."""
        changed = [f"{key}={_shown(value, first.agents)}" for key, value in self if value != getattr(first, key)]
        return " ".join(changed) or "as it is"


def _shown(value: object, everyone: tuple[str, ...]) -> str:
    if not isinstance(value, tuple):
        return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    missing = [name for name in everyone if name not in value]
    return "".join(f"-{name}" for name in missing) if len(missing) < len(value) else "+".join(value)
