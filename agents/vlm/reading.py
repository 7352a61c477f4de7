"""What one answer of a model comes to."""

from dataclasses import dataclass

from doubleread.core.types import Vector


@dataclass(frozen=True)
class Reading:
    """A distribution over the task's labels (shape ``(n_labels,)``, summing to 1) or one label with a confidence."""

    label: str
    confidence: float
    vector: Vector | None = None
    findings: str = ""
    captured_mass: float | None = None
    notes: tuple[str, ...] = ()
