"""Fits a panel's calibration and fusion on labelled cases, with held-out results by cross-fitting."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PlainSerializer, PlainValidator, SkipValidation, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from threadpoolctl import threadpool_limits

from doubleread.core.errors import DataError
from doubleread.core.ports import Calibrator, FusionRule
from doubleread.core.types import Json, Labels, Matrix, Tensor3, Vector
from doubleread.orchestrator.arrays import CONFIG, Array, MaybeArray
from doubleread.orchestrator.calibration import CALIBRATORS, restore_calibrator
from doubleread.orchestrator.fusion import FUSION_RULES, restore_rule
from doubleread.orchestrator.learning.assumed_prior import Assumed, at_shares
from doubleread.orchestrator.metrics import design_effect, losses
from doubleread.orchestrator.resampling import Fold, Groups, group_codes, grouped_folds
from doubleread.orchestrator.simplex import normalised, shares, softmax, spoken


def _restored_by(restore: Callable[[Json], object]) -> PlainValidator:
    """Restores a part from its parameters; leaves parts and None unchanged."""

    def restored(data: object) -> object:
        if isinstance(data, dict) and "kind" not in data:
            raise ValueError("parameters without a kind")
        return restore(data) if isinstance(data, dict) else data

    return PlainValidator(restored)


_PARAMS = PlainSerializer(lambda part: None if part is None else part.params())
Calibrators = tuple[Annotated[Calibrator | None, _restored_by(restore_calibrator), _PARAMS], ...]
Rule = Annotated[FusionRule, _restored_by(restore_rule), _PARAMS]


@pydantic_dataclass(frozen=True, config=CONFIG)
class Learned:
    """Result of ``learn``: ``fuse`` is for new cases, the held-out arrays are for evaluation.

    ``assumed`` holds the prior that each agent's opinions assume, ``seen`` the label shares ``(k,)`` that they are
    shifted to before calibration. ``held_out``, ``(n, k)``, and ``held_out_calibrated``, ``(n, agents, k)``, are
    cross-fitted: calibrators and rule were fitted on other folds. Their rows are those given to ``learn``.
    """

    assumed: tuple[MaybeArray, ...]
    seen: Array
    calibrators: Calibrators
    rule: Rule
    held_out: Array
    held_out_calibrated: Array
    folds: int
    notes: tuple[str, ...] = ()
    alternatives: SkipValidation[Mapping[str, Matrix]] = Field(default_factory=dict, exclude=True)
    """Held-out posteriors of other answers on the same cases, by the same fits; not stored."""

    def __post_init__(self) -> None:
        n, agents, k = (*self.held_out_calibrated.shape, 0, 0, 0)[:3]
        if not n or agents != len(self.calibrators) or self.held_out.shape != (n, k):
            raise ValueError("the held-out answers do not fit the agents or each other")

    @property
    def silent(self) -> tuple[int, ...]:
        """Positions of agents without any opinion to learn from; they get no weight."""
        return tuple(i for i, calibrator in enumerate(self.calibrators) if calibrator is None)

    def calibrate(self, raw: Tensor3) -> Tensor3:
        """Calibrated opinions, same shape ``(n, agents, k)``; silent agents are NaN."""
        return _calibrate(self.calibrators, at_shares(raw, self.assumed, self.seen))

    def fuse(self, raw: Tensor3) -> Matrix:
        """Fuses raw opinions to posteriors ``(n, k)``."""
        return self.rule.fuse(self.calibrate(raw))

    def dump(self) -> Json:
        """Converts everything to a JSON object; floats are restored exactly."""
        found: Json = _LEARNED.dump_python(self, mode="json")
        return found

    @classmethod
    def load(cls, data: Json) -> "Learned":
        """Restores the result of ``dump``; raises ``DataError`` for anything else."""
        try:
            return _LEARNED.validate_python(data)
        except ValidationError as error:
            raise DataError(f"this is not a learned panel: {error}") from None


_LEARNED = TypeAdapter(Learned)


@dataclass(frozen=True)
class Sample:
    """Labelled cases to learn from, and their folds for cross-fitting.

    ``labels`` and ``groups`` have shape ``(n,)``. ``prior`` is that of new cases (None: the label shares of
    ``labels``); ``assumed`` holds the priors of the agents' opinions (None: unknown). ``folds`` is a number, reduced if
    groups are few, or the folds themselves.
    """

    labels: Labels
    groups: Groups = None
    prior: Vector | None = None
    assumed: Assumed | None = None
    folds: int | Sequence[Fold] = 5
    seed: int = 0

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """Group indices, shape ``(n,)``."""
        return group_codes(self.groups, len(self.labels))

    @cached_property
    def parts(self) -> Sequence[Fold]:
        """The folds. Raises ``DataError`` if cross-fitting is impossible."""
        return self.divided(self.codes)

    def divided(self, groups: Groups) -> Sequence[Fold]:
        """The folds that keep these groups whole."""
        return grouped_folds(self.labels, groups, self.folds, self.seed) if isinstance(self.folds, int) else self.folds

    def assumed_by(self, agents: int) -> Assumed:
        """The prior assumed by each of ``agents`` agents."""
        return self.assumed or (None,) * agents


def learn(
    raw: Tensor3,
    sample: Sample,
    *,
    rule: str = "panel-mean",
    calibrator: str | Sequence[str] = "temperature",
    alternatives: Mapping[str, Tensor3] | None = None,
) -> Learned:
    """``learn_rules`` for a single rule."""
    return learn_rules(raw, sample, rules=(rule,), calibrator=calibrator, alternatives=alternatives)[rule]


def learn_rules(
    raw: Tensor3,
    sample: Sample,
    *,
    rules: Sequence[str],
    calibrator: str | Sequence[str],
    alternatives: Mapping[str, Tensor3] | None = None,
) -> dict[str, Learned]:
    """Fits one calibrator per agent and each fusion rule, and cross-fits all by group for the held-out arrays.

    ``raw`` holds uncalibrated opinions ``(n, agents, k)``, NaN rows if missing; they are shifted from their assumed
    priors to the label shares of the training cases. ``calibrator`` names one for all agents, or one each.
    ``alternatives`` are other answers on the same cases, shaped as ``raw``, which the held-out fits fuse too, for
    example with agents removed. Raises ``DataError`` if cross-fitting is impossible, ``UnknownPart`` for an unknown
    rule or calibrator.
    """
    y, codes, parts, seed = sample.labels, sample.codes, sample.parts, sample.seed
    raw, k = np.where(spoken(raw)[..., None], raw, np.nan), raw.shape[2]
    kinds = (calibrator,) * raw.shape[1] if isinstance(calibrator, str) else tuple(calibrator)
    assumed = sample.assumed_by(raw.shape[1])
    prior = shares(y, k) if sample.prior is None else sample.prior
    blank = np.full((len(y), k), np.nan)
    held_out = {rule: blank.copy() for rule in rules}
    others = {rule: {name: blank.copy() for name in alternatives or {}} for rule in rules}
    held_out_calibrated = np.full(raw.shape, np.nan)
    with threadpool_limits(1):  # the matrices are small, and synchronising threads costs several times the work
        for part in parts:
            seen = shares(y[part.train], k)
            moved = at_shares(raw, assumed, seen)
            fitted = _fit(moved[part.train], y[part.train], codes[part.train], prior, rules, kinds, seed)
            held_out_calibrated[part.test] = _calibrate(fitted.calibrators, moved[part.test])
            for rule, fusion in fitted.rules.items():
                held_out[rule][part.test] = fusion.fuse(held_out_calibrated[part.test])
                for name, other in (alternatives or {}).items():
                    calibrated = _calibrate(fitted.calibrators, at_shares(other[part.test], assumed, seen))
                    others[rule][name][part.test] = fusion.fuse(calibrated)
        seen = shares(y, k)
        final = _fit(at_shares(raw, assumed, seen), y, codes, prior, rules, kinds, seed)
    notes = _notes(final.calibrators, len(parts), sample.folds)
    return {
        rule: Learned(
            assumed=assumed,
            seen=seen,
            calibrators=final.calibrators,
            rule=final.rules[rule],
            held_out=held_out[rule],
            held_out_calibrated=held_out_calibrated,
            folds=len(parts),
            notes=notes,
            alternatives=others[rule],
        )
        for rule in rules
    }


@dataclass(frozen=True, slots=True)
class _FoldFit:
    calibrators: Calibrators
    rules: dict[str, FusionRule]


def _fit(
    raw: Tensor3,
    y: Labels,
    codes: NDArray[np.int64],
    prior: Vector,
    rules: Sequence[str],
    kinds: Sequence[str],
    seed: int,
) -> _FoldFit:
    """Fits calibrators on all rows, and rules on cross-fitted calibrated opinions.

    Relative to the priors, a case counts for less if the cases of its group are alike.
    """
    calibrators = _fit_calibrators(raw, y, codes, kinds)
    inner = _inner(raw, y, codes, kinds, seed)
    heard = spoken(inner).any(axis=1)
    together = softmax(np.nanmean(np.log(inner[heard]), axis=1)) if heard.any() else inner[:0, 0]
    weight = 1 / design_effect(losses(together, y[heard]), codes[heard])
    return _FoldFit(calibrators, {rule: FUSION_RULES.get(rule)().fit(inner, y, prior, weight) for rule in rules})


def _inner(raw: Tensor3, y: Labels, codes: NDArray[np.int64], kinds: Sequence[str], seed: int) -> Tensor3:
    """Cross-fitted calibrated opinions; in-sample with too few groups."""
    try:
        parts = grouped_folds(y, codes, 5, seed)
    except DataError:
        return _calibrate(_fit_calibrators(raw, y, codes, kinds), raw)
    calibrated = np.full(raw.shape, np.nan)
    for train, test in parts:
        calibrated[test] = _calibrate(_fit_calibrators(raw[train], y[train], codes[train], kinds), raw[test])
    return calibrated


def _fit_calibrators(raw: Tensor3, y: Labels, codes: NDArray[np.int64], kinds: Sequence[str]) -> Calibrators:
    opinions = [raw[:, a] for a in range(raw.shape[1])]
    return tuple(fit_calibrator(kind, P, y, codes) for kind, P in zip(kinds, opinions, strict=True))


def fit_calibrator(kind: str, P: Matrix, y: Labels, codes: NDArray[np.int64]) -> Calibrator | None:
    """Fits one agent's calibrator on opinions ``(n, k)``; None without any. ``codes`` are the groups, ``(n,)``."""
    heard = spoken(P)
    if not heard.any():
        return None
    weight = 1 / design_effect(losses(normalised(P[heard]), y[heard]), codes[heard])
    made: Calibrator = CALIBRATORS.get(kind)().fit(P, y, weight)
    return made


def _calibrate(calibrators: Calibrators, raw: Tensor3) -> Tensor3:
    columns = [
        np.full(raw[:, a].shape, np.nan) if calibrator is None else calibrator.apply(raw[:, a])
        for a, calibrator in enumerate(calibrators)
    ]
    return np.stack(columns, axis=1)


def _notes(calibrators: Calibrators, used: int, wanted: int | Sequence[Fold]) -> tuple[str, ...]:
    asked = wanted if isinstance(wanted, int) else used
    fewer = [f"cross-validated in {used} folds instead of {asked}: a label has too few groups for more"]
    calibration = sorted({str(note) for c in calibrators if (note := getattr(c, "note", ""))})
    return (*(fewer if used < asked else ()), *calibration)
