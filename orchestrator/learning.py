"""Learning a panel's calibration and fusion from labelled cases, without judging it on what it was fitted on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from threadpoolctl import threadpool_limits

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.ports import Calibrator, Fused, FusionRule
from doubleread.core.types import Json, Labels, Matrix, Tensor3, Vector
from doubleread.orchestrator.calibration import CALIBRATORS, restore_calibrator
from doubleread.orchestrator.fusion import FUSION_RULES, restore_rule
from doubleread.orchestrator.resampling import Fold, group_codes, grouped_folds
from doubleread.orchestrator.simplex import shares, spoken

Groups = Sequence[str | None] | NDArray[np.generic] | None
Calibrators = tuple[Calibrator | None, ...]


class LearnedRecord(Record):
    """``Learned`` as JSON; None stands for an absent opinion."""

    calibrators: tuple[Json | None, ...]
    rule: Json
    held_out: tuple[tuple[float, ...], ...]
    held_out_calibrated: tuple[tuple[tuple[float, ...] | None, ...], ...]
    folds: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """What ``learn`` found. New cases go through ``fuse``; the held-out arrays are for judging.

    ``held_out``, ``(n, k)``, and ``held_out_calibrated``, ``(n, agents, k)``, come from cross-fitting: each case was
    judged by calibrators and a rule fitted on other folds. Their rows are those given to ``learn``.
    """

    calibrators: Calibrators
    rule: FusionRule
    held_out: Matrix
    held_out_calibrated: Tensor3
    folds: int
    notes: tuple[str, ...] = ()
    alternatives: Mapping[str, Matrix] = field(default_factory=dict)
    """Held-out posteriors of other answers on the same cases, by the same fits; not kept on disk."""

    @property
    def silent(self) -> tuple[int, ...]:
        """Positions of the agents without any opinion to learn from: they get no weight."""
        return tuple(i for i, calibrator in enumerate(self.calibrators) if calibrator is None)

    def calibrate(self, raw: Tensor3) -> Tensor3:
        """Calibrated opinions, same shape ``(n, agents, k)``; silent agents are NaN."""
        return _calibrate(self.calibrators, raw)

    def fuse(self, raw: Tensor3) -> Fused:
        """Posteriors and the agents' shares from raw opinions."""
        return self.rule.fuse(self.calibrate(raw))

    def dump(self) -> Json:
        """All of it as a JSON object; floats come back exactly."""
        record = LearnedRecord(
            calibrators=tuple(None if c is None else c.params() for c in self.calibrators),
            rule=self.rule.params(),
            held_out=tuple(map(tuple, self.held_out.tolist())),
            held_out_calibrated=_without_nan(self.held_out_calibrated),
            folds=self.folds,
            notes=self.notes,
        )
        return record.model_dump(mode="json")

    @classmethod
    def load(cls, data: Json) -> Self:
        """Rebuilds what ``dump`` gave; raises ``DataError`` for anything else."""
        try:
            record = LearnedRecord.model_validate(data)
        except ValidationError as error:
            raise DataError(f"this is not a learned panel: {error}") from None
        k = len(record.held_out[0])
        absent = (float("nan"),) * k
        return cls(
            calibrators=tuple(None if c is None else restore_calibrator(c) for c in record.calibrators),
            rule=restore_rule(record.rule),
            held_out=np.array(record.held_out),
            held_out_calibrated=np.array([[row or absent for row in case] for case in record.held_out_calibrated]),
            folds=record.folds,
            notes=record.notes,
        )


def learn(
    raw: Tensor3,
    y: Labels,
    groups: Groups = None,
    prior: Vector | None = None,
    *,
    rule: str = "panel-mean",
    calibrator: str = "temperature",
    folds: int | Sequence[Fold] = 5,
    seed: int = 0,
    alternatives: Mapping[str, Tensor3] | None = None,
) -> Learned:
    """``learn_rules`` for a single rule."""
    found = learn_rules(
        raw,
        y,
        groups,
        prior,
        rules=(rule,),
        calibrator=calibrator,
        folds=folds,
        seed=seed,
        alternatives=alternatives,
    )
    return found[rule]


def learn_rules(
    raw: Tensor3,
    y: Labels,
    groups: Groups = None,
    prior: Vector | None = None,
    *,
    rules: Sequence[str],
    calibrator: str,
    folds: int | Sequence[Fold],
    seed: int,
    alternatives: Mapping[str, Tensor3] | None = None,
) -> dict[str, Learned]:
    """Fits one calibrator per agent and each fusion rule, and cross-fits all by group for the held-out arrays.

    ``raw`` holds uncalibrated opinions ``(n, agents, k)``, NaN rows where an agent gave none. ``prior`` is that of
    the cases to come; None: the label shares of ``y``. ``folds`` is a number (fewer are used, and noted, where
    groups are few) or the folds themselves. ``alternatives`` are other answers to the same cases, shaped as ``raw``,
    that the held-out fits are to fuse too: with agents struck out, for instance. Raises ``DataError`` where
    cross-fitting is impossible, and ``UnknownPart`` for a rule or calibrator that is not in its table.
    """
    raw = np.where(spoken(raw)[..., None], raw, np.nan)
    codes = group_codes(groups, len(y))
    prior = shares(y, raw.shape[2]) if prior is None else prior
    parts = grouped_folds(y, codes, folds, seed) if isinstance(folds, int) else list(folds)
    blank = np.full((len(y), raw.shape[2]), np.nan)
    held_out = {rule: blank.copy() for rule in rules}
    others = {rule: {name: blank.copy() for name in alternatives or {}} for rule in rules}
    held_out_calibrated = np.full(raw.shape, np.nan)
    with threadpool_limits(1):  # the matrices are small: threads that wait for each other cost several times the work
        for part in parts:
            fitted = _fit(raw[part.train], y[part.train], codes[part.train], prior, rules, calibrator, seed)
            held_out_calibrated[part.test] = _calibrate(fitted.calibrators, raw[part.test])
            for rule, fusion in fitted.rules.items():
                held_out[rule][part.test] = fusion.fuse(held_out_calibrated[part.test]).posterior
                for name, other in (alternatives or {}).items():
                    calibrated = _calibrate(fitted.calibrators, other[part.test])
                    others[rule][name][part.test] = fusion.fuse(calibrated).posterior
        final = _fit(raw, y, codes, prior, rules, calibrator, seed)
    notes = _notes(final.calibrators, len(parts), folds)
    return {
        rule: Learned(
            final.calibrators, final.rules[rule], held_out[rule], held_out_calibrated, len(parts), notes, others[rule]
        )
        for rule in rules
    }


@dataclass(frozen=True, slots=True)
class _Fitted:
    calibrators: Calibrators
    rules: dict[str, FusionRule]


def _fit(
    raw: Tensor3,
    y: Labels,
    codes: NDArray[np.int64],
    prior: Vector,
    rules: Sequence[str],
    calibrator: str,
    seed: int,
) -> _Fitted:
    """Calibrators on all rows; the rules on opinions calibrated without their own row's fold."""
    calibrators = _fit_calibrators(raw, y, calibrator)
    inner = _inner(raw, y, codes, calibrator, seed)
    return _Fitted(calibrators, {rule: FUSION_RULES.get(rule)().fit(inner, y, prior) for rule in rules})


def _inner(raw: Tensor3, y: Labels, codes: NDArray[np.int64], calibrator: str, seed: int) -> Tensor3:
    """Cross-fitted calibrated opinions; fitted in sample where there are too few groups to do better."""
    try:
        parts = grouped_folds(y, codes, 5, seed)
    except DataError:
        return _calibrate(_fit_calibrators(raw, y, calibrator), raw)
    calibrated = np.full(raw.shape, np.nan)
    for part in parts:
        calibrators = _fit_calibrators(raw[part.train], y[part.train], calibrator)
        calibrated[part.test] = _calibrate(calibrators, raw[part.test])
    return calibrated


def _fit_calibrators(raw: Tensor3, y: Labels, kind: str) -> Calibrators:
    make = CALIBRATORS.get(kind)
    opinions = [raw[:, a] for a in range(raw.shape[1])]
    return tuple(make().fit(P, y) if spoken(P).any() else None for P in opinions)


def _calibrate(calibrators: Calibrators, raw: Tensor3) -> Tensor3:
    columns = [
        np.full(raw[:, a].shape, np.nan) if calibrator is None else calibrator.apply(raw[:, a])
        for a, calibrator in enumerate(calibrators)
    ]
    return np.stack(columns, axis=1)


def _notes(calibrators: Calibrators, used: int, wanted: int | Sequence[Fold]) -> tuple[str, ...]:
    asked = wanted if isinstance(wanted, int) else used
    fewer = [f"cross-fitted in {used} folds instead of {asked}: a label has too few groups for more"]
    calibration = sorted({str(note) for c in calibrators if (note := getattr(c, "note", ""))})
    return (*(fewer if used < asked else ()), *calibration)


def _without_nan(values: Tensor3) -> tuple[tuple[tuple[float, ...] | None, ...], ...]:
    there = spoken(values)
    return tuple(
        tuple(tuple(row) if here else None for row, here in zip(case, said, strict=True))
        for case, said in zip(values.tolist(), there.tolist(), strict=True)
    )
