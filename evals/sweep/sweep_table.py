"""A sweep as a table for other programs."""

from collections.abc import Iterator

from doubleread.evals.sweep.sweep_result import FIGURES, Sweep

Cell = str | float | int | None


def flat(found: Sweep) -> Iterator[dict[str, Cell]]:
    """One row a variant: its settings, each figure with its interval, and differences to the first variant."""
    for one in found.judged:
        row: dict[str, Cell] = {"name": one.name, "n": found.n}
        for key, value in one.variant:
            row[key] = "+".join(value) if isinstance(value, tuple) else value
        for prefix, estimates in (("", one.figures), ("change_", one.difference)):
            for figure in FIGURES:
                e = estimates.get(figure)
                for part in ("value", "low", "high"):
                    name = f"{prefix}{figure}" if part == "value" else f"{prefix}{figure}_{part}"
                    row[name] = None if e is None else getattr(e, part)
        yield {**row, "decided_otherwise": one.decided_otherwise, "p_cost": one.p}
