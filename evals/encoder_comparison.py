"""Compares encoders on labelled images: which one, or which few together, read them best?"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import log_softmax

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.errors import DataError, DoublereadError
from doubleread.core.progress import Progress
from doubleread.core.task import Task
from doubleread.core.trust import Estimate
from doubleread.core.types import Embeddings, Labels, Matrix
from doubleread.evals._encoder_trial import EncoderTrial, images_a_second, trial_of
from doubleread.orchestrator.learning.prompt_choice import limit_of
from doubleread.orchestrator.metrics import Flags, clustered, ece, log_gain, losses
from doubleread.orchestrator.metrics.draws import Draws
from doubleread.panel.composition import embedder_of, encoder_of, images_of
from doubleread.render.progress_display import shown
from doubleread.settings import Settings, load_settings
from doubleread.settings_sections import EncoderOptions

FOLDS, DRAWS = 5, 1000


class ComparedEncoder(Record):
    """One encoder on ``n`` images that all encoders could read; intervals are of 95 %, over whole groups."""

    name: str
    accuracy: Estimate
    log_loss: float
    """In nats, of a discriminant head that was fitted without the image's group."""
    log_loss_error: float
    """Its standard error, clustered by group."""
    ece: float
    unknown_auroc: float | None
    """How well it tells a label that the head was not fitted on, averaged over the labels left out; None with two."""
    nearest: Estimate
    """Share of images whose most similar image of another group has their label."""
    images_a_second: float
    dim: int
    fingerprint: str


class ComparedPair(Record):
    """Two encoders and their mean reading: its log-loss, and by how much that is below the better one's."""

    first: str
    second: str
    error_correlation: float | None
    """Correlation of their wrong answers (phi); None if one of them makes no error."""
    log_loss: float
    gain: float
    gain_error: float
    """Standard error of ``gain``, clustered by group; infinite with fewer than two groups."""


class EncoderComparison(Record):
    """The result of ``compare_encoders``."""

    task: str
    n: int
    groups: int
    encoders: tuple[ComparedEncoder, ...]
    """The lowest log-loss first."""
    pairs: tuple[ComparedPair, ...]
    unusable: dict[str, str]
    """Encoders that could not be used, and why."""
    unread: int
    """Images that some encoder could not read."""
    recommended: tuple[str, ...]
    """The fewest encoders that no other clearly improves."""
    steps: tuple[str, ...]
    """How they were chosen."""

    @property
    def line(self) -> str:
        """The answer in one sentence."""
        names = " and ".join(self.recommended)
        if len(self.recommended) == 1:
            return f"Use {names}: no other of these encoders clearly improves on it."
        return f"Use {names} together: each clearly improves on the panel without it."


def compare_encoders(
    cases: Sequence[Case],
    task: Task,
    encoders: Mapping[str, EncoderOptions],
    *,
    settings: Settings | None = None,
    folds: int = FOLDS,
    seed: int = 0,
    progress: Progress | None = None,
) -> EncoderComparison:
    """Encodes the images with each encoder and cross-fits the same discriminant head on each.

    Groups stay whole. Encoders are combined by the mean of their log-probabilities. Starting from the lowest log-loss,
    an encoder is added if the combined log-loss falls by more than one standard error, clustered by group and corrected
    for the number of encoders that could have been added (as for prompts). An encoder that cannot be used is named in
    the result.

    Args:
        cases: Labelled images.
        task: The task.
        encoders: By the names that they have in the result.
        settings: Where encodings are cached and how images are read.
        folds: Most folds of the cross-fit.
        seed: Of folds and intervals.
        progress: As for ``Panel.fit``.

    Raises:
        DataError: There are too few images or groups, or no encoder can be used.
    """
    settings = settings or load_settings()
    looks, unusable = dict[str, _Look](), dict[str, str]()
    labelled = [case for case in cases if case.label is not None]
    with shown(progress) as report:
        for name, options in encoders.items():
            try:
                looks[name] = _look(name, options, labelled, settings, report)
            except DoublereadError as error:
                unusable[name] = str(error)
    if not looks:
        raise DataError("no encoder can be used: " + "; ".join(f"{name}: {why}" for name, why in unusable.items()))
    kept = sorted(set.intersection(*(set(one.kept) for one in looks.values())))
    used = [labelled[i] for i in kept]
    labels = np.array([task.index(str(case.label)) for case in used])
    groups = None if all(case.group is None for case in used) else [case.group or case.id for case in used]
    rows = {name: one.embeddings[np.searchsorted(one.kept, kept)] for name, one in looks.items()}
    trials = {name: trial_of(embeddings, labels, groups, folds, seed) for name, embeddings in rows.items()}
    compared = [_compared(name, trials[name], looks[name], labels, groups, seed) for name in trials]
    chosen, steps = _chosen({name: one.readings for name, one in trials.items()}, labels, groups)
    return EncoderComparison(
        task=task.id,
        n=len(used),
        groups=len(used) if groups is None else len(set(groups)),
        encoders=tuple(sorted(compared, key=lambda one: one.log_loss)),
        pairs=tuple(_pairs(trials, labels, groups)),
        unusable=unusable,
        unread=len(labelled) - len(kept),
        recommended=chosen,
        steps=steps,
    )


class _Look:
    """Embeddings ``(len(kept), dim)`` of one encoder, and what it is."""

    def __init__(self, kept: Sequence[int], embeddings: Embeddings, speed: float, fingerprint: str) -> None:
        self.kept, self.embeddings, self.speed, self.fingerprint = tuple(kept), embeddings, speed, fingerprint


def _look(name: str, options: EncoderOptions, cases: Sequence[Case], settings: Settings, report: Progress) -> _Look:
    images = images_of(settings)
    embedder = embedder_of(encoder_of(options), images, settings)
    try:
        found = embedder.embed_all(cases, progress=lambda done, total: report(f"encoding with {name}", done, total))
        readable = [cases[i] for i in found.kept]
        speed = images_a_second(embedder.encoder, images, readable)
        return _Look(found.kept, found.embeddings[:, 0], speed, embedder.fingerprint)
    finally:
        embedder.close()


def _compared(
    name: str, trial: EncoderTrial, look: _Look, labels: Labels, groups: Sequence[str] | None, seed: int
) -> ComparedEncoder:
    P = np.exp(trial.readings)
    draws = Draws(groups or [None] * len(labels), draws=DRAWS, seed=seed)
    right, loss = P.argmax(axis=1) == labels, clustered(losses(P, labels), groups)
    return ComparedEncoder(
        name=name,
        accuracy=_share(draws, right),
        log_loss=loss.mean,
        log_loss_error=loss.error,
        ece=ece(P.max(axis=1), right),
        unknown_auroc=float(np.mean(trial.unknown)) if trial.unknown else None,
        nearest=_share(draws, trial.near),
        images_a_second=look.speed,
        dim=look.embeddings.shape[1],
        fingerprint=look.fingerprint,
    )


def _share(draws: Draws, flags: Flags) -> Estimate:
    found = draws.share(flags)
    if found is None:
        raise DataError("no image was held out")
    return found


def _pairs(trials: Mapping[str, EncoderTrial], labels: Labels, groups: Sequence[str] | None) -> list[ComparedPair]:
    names, found = list(trials), []
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            a, b = trials[first].readings, trials[second].readings
            wrong = [one.argmax(axis=1) != labels for one in (a, b)]
            both_err = all(0 < one.mean() < 1 for one in wrong)
            phi = float(np.corrcoef(wrong[0], wrong[1])[0, 1]) if both_err else None
            joint = _together([a, b])
            gain = log_gain(
                np.exp(min((a, b), key=lambda one: losses(np.exp(one), labels).mean())), joint, labels, groups
            )
            found.append(
                ComparedPair(
                    first=first,
                    second=second,
                    error_correlation=phi,
                    log_loss=float(losses(joint, labels).mean()),
                    gain=gain.mean,
                    gain_error=gain.error,
                )
            )
    return found


def _together(readings: Sequence[Matrix]) -> Matrix:
    """The normalised geometric mean of distributions given as log-probabilities."""
    return np.asarray(np.exp(log_softmax(np.mean(readings, axis=0), axis=1)))


def _chosen(
    readings: Mapping[str, Matrix], labels: Labels, groups: Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Adds encoders one by one while the combined log-loss clearly falls."""
    chosen = [min(readings, key=lambda name: losses(np.exp(readings[name]), labels).mean())]
    steps = [f"{chosen[0]} has the lowest log-loss alone"]
    while others := [name for name in readings if name not in chosen]:
        present = _together([readings[name] for name in chosen])
        joined = {name: _together([readings[one] for one in (*chosen, name)]) for name in others}
        gains = {name: log_gain(present, joined[name], labels, groups) for name in others}
        best = max(gains, key=lambda name: gains[name].mean)
        limit = limit_of(len(others))
        if not gains[best].beyond(limit):
            steps.append(f"{best} would add {gains[best].line}, less than {limit:.2f} standard errors: not added")
            break
        steps.append(f"{best} lowers the log-loss by {gains[best].line}: added")
        chosen.append(best)
    return tuple(chosen), tuple(steps)
