"""The front door: fit a panel, save and load it, diagnose one image or many.

>>> import doubleread
>>> panel = doubleread.Panel.load("panel")          # doctest: +SKIP
>>> print(panel.diagnose("leaf.jpg"))               # doctest: +SKIP
"""

import asyncio
import logging
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from doubleread.agents.recorded.recorder import Recorder
from doubleread.agents.wire.budget import Spending
from doubleread.core.background import Background
from doubleread.core.batch import BatchComparison
from doubleread.core.case import Case
from doubleread.core.errors import FileError, ImageError, PanelError, StoreError, TaskError
from doubleread.core.evidence import Neighbour
from doubleread.core.one_process import OneProcess
from doubleread.core.one_thread import one_thread
from doubleread.core.ports import CaseStore, TakesHints
from doubleread.core.progress import Progress, silent
from doubleread.core.reading import Outcome, Reading, Sampling
from doubleread.core.task import Costs, Task
from doubleread.core.trust import TrustProfile
from doubleread.core.types import Embeddings
from doubleread.core.verdict import Unread, Verdict
from doubleread.core.verdict_wording import UNLIKE
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.follow import follow
from doubleread.orchestrator.course.graph import diagnose
from doubleread.orchestrator.course.kept import kept
from doubleread.orchestrator.course.seats import Seats, Witness, nobody
from doubleread.orchestrator.explanation.counterfactual import WhatIf, what_if
from doubleread.orchestrator.explanation.influence import Explanation, explain, left_out
from doubleread.orchestrator.prevalence.batch_prevalence import BatchPrevalence, batch_prevalence
from doubleread.orchestrator.trust.drift import Drift, warning_of
from doubleread.panel.attribution_maps import attribute, no_maps
from doubleread.panel.batch_comparison import FEWEST, compare, not_judged, sampled
from doubleread.panel.composition import Eyes, Seated, check_names, open_eyes, seat
from doubleread.panel.consent import check_allowed
from doubleread.panel.feedback import (
    adopt,
    calibration_cases,
    check_confirmed,
    confirm,
    drifts,
    fitted_on,
    forget,
    learned_rows,
    relearn,
    remember,
    remembered,
    retract,
)
from doubleread.panel.fitting import Fitted, fit
from doubleread.panel.panel_folder import (
    AboutPanel,
    PanelFolder,
    check_prompts,
    check_sights,
    digest_of,
    open_store,
    read_panel,
    restore_agents,
)
from doubleread.panel.provenance import provenance
from doubleread.panel.readable import Readable, case_of, case_or_unread
from doubleread.panel.reference import Looked, Reference, groups_of, looked_at
from doubleread.panel.saving import allow_own, write_panel
from doubleread.panel.trust_folder import TrustVersion
from doubleread.rag.near_copies import hash_picture
from doubleread.rag.picture_quality import NOTHING_USUAL
from doubleread.render.shown import ShownVerdict
from doubleread.render.shown_attribution import ShownAttribution
from doubleread.settings import Settings, load_settings

_log = logging.getLogger(__name__)


class Panel:
    """A fitted panel. Make one with ``fit`` or ``load``; close it, or use it in a ``with`` block."""

    def __init__(self, settings: Settings, eyes: Eyes, seated: Seated, store: CaseStore, arbiter: Arbiter) -> None:
        self._settings, self._eyes, self._seated, self._store, self._arbiter = settings, eyes, seated, store, arbiter
        self._fitted: Fitted | None = None
        self._saved: PanelFolder | None = None
        self._alarms: tuple[Drift, ...] = ()
        self._unwatched: tuple[str, ...] = ()
        self._notes: tuple[str, ...] = ()
        self._unread: tuple[Unread, ...] = ()
        self._background, self._home = Background(), OneProcess()
        self._recording = ExitStack()
        self._witness = self._recording.enter_context(_recorder(settings))
        self._closing = weakref.finalize(self, _let_go, self._home, self._background, self._recording, store, eyes)
        self._closing.atexit = False
        self._see(None)

    # -- making one ---------------------------------------------------------------------------------------------

    @classmethod
    def fit(
        cls,
        cases: Iterable[Case],
        task: Task,
        *,
        settings: Settings | None = None,
        progress: Progress = silent,
    ) -> Self:
        """A panel fitted on labelled cases; cases of split ``test`` are left alone.

        Trust comes from the ``calibration`` split where there is one, else from cross-fitting by group. The fitted
        panel holds its cases in memory until ``save``.

        Raises ``DataError`` for too few cases, ``EncoderError`` for an encoder that cannot be used, ``UnknownPart``
        for an unknown agent, rule, calibrator or store.
        """
        settings = settings or load_settings()
        check_names(settings)
        eyes = open_eyes(settings)
        try:
            with _recorder(settings) as witness:
                fitted = fit(tuple(cases), task, settings, eyes, progress, witness)
        except BaseException:
            eyes.close()
            raise
        panel = cls(settings, eyes, fitted.seated, fitted.store, fitted.arbiter)
        panel._fitted, panel._notes, panel._unread = fitted, fitted.notes, fitted.unread
        panel._see(fitted.reference)
        return panel

    def save(self, folder: str | Path) -> Path:
        """Writes a freshly fitted panel into a new folder, whole or not at all; returns it.

        What its settings reach (addresses, key variables, files) is remembered as allowed for this user.

        Raises ``PanelError`` where the folder exists already and is no panel, or this panel was loaded.
        """
        written = write_panel(Path(folder), self._settings, self._eyes, self._fitted)
        allow_own(written)
        return written

    @classmethod
    def load(cls, folder: str | Path, *, settings: Settings | None = None, allow_from_panel: bool = False) -> Self:
        """The panel saved in a folder. ``settings`` may change how it runs, not what was fitted.

        Settings of scope ``run`` that it names are taken over. One of scope ``fit`` that differs from the panel's is
        logged as not used: fit again to change it.

        A panel from somebody else may name addresses, key variables and files. These are used only where ``settings``
        name them too, where the panel was fitted here, or once they were allowed: ``allow_from_panel`` allows this
        panel what its folder asks for now, and remembers it. Raises ``NotAllowed``, before anything is contacted, where
        something is not allowed, ``PanelError`` for a folder that holds no panel, and ``EncoderMismatch`` where its
        encoder is not here.

        A panel belongs to the process that loaded it: in a forked child its calls raise ``PanelError``. Load it in each
        process.
        """
        saved: PanelFolder = read_panel(Path(folder), settings)
        for line in saved.unused:
            _log.warning("%s: %s", saved.folder, line)
        check_allowed(saved.folder, saved.id, saved.asks, allow=allow_from_panel)
        versions = {name: prompt.version for name, prompt in saved.prompts.items()}
        eyes = open_eyes(saved.settings, saved.encoder, versions, saved.near)
        with ExitStack() as undo:
            undo.callback(eyes.close)
            store = open_store(saved, eyes)
            undo.callback(store.close)
            seated = seat(saved.settings, saved.arbiter.task, eyes, store, saved.weighting)
            check_prompts(saved, seated)
            check_sights(saved, eyes)
            restore_agents(saved, seated)
            undo.pop_all()
        panel = cls(saved.settings, eyes, seated, store, saved.arbiter)
        panel._unread = saved.unread
        panel._see(saved.reference)
        panel._use(saved)
        return panel

    # -- what it is ---------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """What it was fitted with, and how it runs here."""
        return self._settings

    @property
    def folder(self) -> Path:
        """Where it lies. Raises ``PanelError`` for a panel that was never saved."""
        return self._with_folder().folder

    def about(self) -> AboutPanel:
        """What its verdicts rest on now. Raises ``PanelError`` for a panel without a folder."""
        return AboutPanel(
            digest=digest_of(self.folder, self.trust_version),
            archive=self._store.version(),
            provenance=provenance(self._seated.prompts),
        )

    @property
    def task(self) -> Task:
        """What it diagnoses."""
        return self._arbiter.task

    @property
    def agents(self) -> tuple[str, ...]:
        """Who reads, by name, then the referees; without those that fitting left out."""
        seated = (*self._seated.agents, *self._seated.referees)
        return tuple(name for name in seated if name not in self._arbiter.left_out)

    @property
    def taking_hints(self) -> tuple[str, ...]:
        """Those who can be told something before they read; the others look at nothing but the image."""
        return tuple(name for name, agent in self._seated.agents.items() if isinstance(agent, TakesHints))

    @property
    def profiles(self) -> tuple[TrustProfile, ...]:
        """What is known of each agent, in each round, and of the panel."""
        return self._arbiter.profiles

    @property
    def encoder_note(self) -> str:
        """Which encoder is used and why; says so where it is the fallback."""
        return f"encoder {self._eyes.choice.name}: {self._eyes.choice.reason}"

    @property
    def encoder_is_fallback(self) -> bool:
        """Whether the embedded encoder stands in for a CLIP encoder whose weights are not here."""
        return self._eyes.choice.fallback

    @property
    def notes(self) -> tuple[str, ...]:
        """What fitting had to say."""
        return self._notes

    @property
    def left_out(self) -> dict[str, str]:
        """The agents and referees that are not asked, and why fitting left them out."""
        return left_out(self._arbiter)

    @property
    def unread(self) -> tuple[Unread, ...]:
        """Cases that fitting could not read."""
        return self._unread

    @property
    def trust_version(self) -> int:
        """Which version of its trust the panel uses: 1 as fitted, more once outcomes were learned from."""
        return self._saved.trust.version if self._saved else 1

    @property
    def alarms(self) -> tuple[Drift, ...]:
        """Signs, at loading, that agents or panel are no longer what they are trusted for; verdicts warn of them."""
        return self._alarms

    @property
    def spent(self) -> dict[str, Spending]:
        """What each agent has spent on models, fitting included; empty where no agent asks one."""
        return self._eyes.models.wire.budget.spent_by if self._eyes.models is not None else {}

    # -- diagnosing ---------------------------------------------------------------------------------------------

    def diagnose(self, image: Readable) -> Verdict:
        """The panel's verdict on one image. Raises ``ImageError`` for an image that cannot be read."""
        return self._background.call(self.adiagnose, image)

    def diagnose_many(self, images: Sequence[Readable]) -> Iterator[Verdict | Unread]:
        """Verdicts in the order of the images; an image that cannot be read gives an ``Unread`` in its place."""
        chunk = 4 * self._settings.run.in_flight
        for start in range(0, len(images), chunk):
            yield from self._background.call(self._chunk, images[start : start + chunk])

    def hold(self, data: bytes, like: Case) -> Case:
        """An encoded image in memory as a case with label, group and source of another, for ``diagnose`` and its kin.

        Evidence leaves out the group, as it does for ``like`` itself. Memory is limited: read it soon.
        """
        own = {"source": like.source, "label": like.label, "group": like.group, "metadata": like.metadata}
        return case_of(data, self._eyes.images).model_copy(update=own)

    def compare_batch(self, verdicts: Iterable[Verdict | Unread]) -> BatchComparison:
        """Whether the pictures of these verdicts, as a batch, are like those that the panel was trusted on.

        A classifier two-sample test of their embeddings against those of the calibration cases, at a level of 1 %,
        which shuffles whole groups (``case.group``); where they differ it says in what. Pictures that the panel was
        fitted on are left out, and nothing is said of fewer than 30. A panel that was saved without what pictures are
        compared with cannot judge; the ``note`` says so.

        >>> print(*panel.compare_batch(panel.diagnose_many(paths)).lines, sep="\\n")  # doctest: +SKIP
        """
        self._check_open()
        names, said = self.task.names, dict[str, tuple[Case, int]]()
        for one in verdicts:
            if isinstance(one, Verdict) and not self.learned_from(one.case):
                said[one.case.id] = one.case, -1 if one.label is None else names.index(one.label)
        if self._reference is None or len(said) < FEWEST:
            return not_judged(len(said), "" if self._reference is None else f"fewer than {FEWEST} pictures")
        trusted, pairs = self._reference.calibration, list(said.values())
        rows = sampled(groups_of([case for case, _ in pairs]), len(pairs), trusted)
        return compare(self._look_at_all([pairs[i] for i in rows]), trusted)

    def _look_at_all(self, said: Sequence[tuple[Case, int]]) -> Looked:
        """Cases with the label that the panel said of each; those that can no longer be read are left out."""
        cases = [case for case, _ in said]
        rows = self._eyes.embedder.embed_all(cases), self._eyes.pictures.embed_all(cases)
        kept = sorted(set(rows[0].kept) & set(rows[1].kept))
        first, second = (one.embeddings[np.searchsorted(one.kept, kept), 0] for one in rows)
        return looked_at([cases[i] for i in kept], first, second, np.array([said[i][1] for i in kept], np.int64))

    def what_if(
        self, verdict: Verdict, *, costs: Costs | None = None, prevalence: Mapping[str, float] | None = None
    ) -> WhatIf:
        """The verdict under other costs or another prevalence; nobody is asked again.

        ``prevalence`` may name some labels only. Raises ``TaskError`` for labels that the task does not know.
        """
        return what_if(verdict, self._arbiter, costs, prevalence)

    def prevalence(self, images: Sequence[Readable], *, progress: Progress = silent) -> BatchPrevalence:
        """The label shares of unlabelled images, with 95 % intervals; nothing is changed by it.

        It is refused, with the reason, where the images differ from the calibration cases in more than label shares.
        Images that the panel was fitted on are left out. Cases of one ``group`` are drawn together. Raises
        ``PanelError`` for a panel that keeps no readings.
        """
        rows, unseen = self._trusted_rows(), []
        for done, result in enumerate(self.diagnose_many(images), start=1):
            if isinstance(result, Unread) or not self.learned_from(result.case):
                unseen.append(result)
            progress("diagnosing images", done, len(images))
        return batch_prevalence(self._arbiter, rows, unseen, learned_from=len(images) - len(unseen))

    def explain(self, verdict: Verdict) -> Explanation:
        """Why this panel gave a verdict: who said what, how far each is trusted, what would be without each of them."""
        return explain(verdict, self._arbiter)

    def attribute(self, verdict: Verdict, *, label: str | None = None, progress: Progress = silent) -> ShownAttribution:
        """Where each local agent's probability of a label rests in a verdict's image; of the likeliest without one.

        By occlusion: the image is read again, on its first look, with one part after the other covered (some seconds on
        a CPU; ``progress`` counts the parts). Agents that ask models have no map, and none has where the image raised
        the alarm of familiarity: maps are of calibrated probabilities. Raises ``TaskError`` for an unknown label or
        none to ask about, ``ImageError`` where the picture can no longer be read.
        """
        return self._background.call(self.aattribute, verdict, label=label, progress=progress)

    async def aattribute(
        self, verdict: Verdict, *, label: str | None = None, progress: Progress = silent
    ) -> ShownAttribution:
        """``attribute`` for async code; may be cancelled."""
        self._check_open()
        asked = label or verdict.label
        if asked is None:
            raise TaskError(f"no agent gave an opinion on {verdict.case.source}: name a label to ask where it is seen")
        if verdict.unfamiliar:
            self.task.index(asked)
            return ShownAttribution.of_attribution(no_maps(verdict.case, self.agents, asked, UNLIKE))
        await self._eyes.embed(verdict.case)
        agents = {name: agent for name, agent in self._seated.agents.items() if name not in self._arbiter.left_out}
        found = await attribute(verdict.case, agents, self._arbiter, asked, progress)
        return ShownAttribution.of_attribution(found)

    def confirm(
        self,
        verdict: Verdict,
        label: str,
        *,
        reviewer: str = "",
        note: str = "",
        sampling: Sampling = "selected",
        archive: bool = True,
    ) -> Outcome:
        """Keeps what turned out to be true of a verdict's case, for trust to be learned from (``living.relearn``).

        ``sampling`` is ``all`` where every case of a stream is confirmed, whatever the verdict. With ``archive`` the
        case joins the panel's case store, and is evidence for others from then on. Raises ``PanelError`` for a panel
        without a folder, a case of its own, or another panel's verdict; ``TaskError`` for an unknown label; and
        ``ImageError`` where the picture can no longer be read, so that it could only be kept without ``archive``.
        Then nothing is kept. Raises ``FileError`` or ``StoreError`` where the disk refuses, and says what is kept;
        the same call completes it later, and what is kept already is not kept twice.
        """
        saved = self._with_folder()
        self._check_open()
        own = verdict.case.id in self._calibration or fitted_on(self._store, verdict)
        seen = self._background.call(self._look, verdict.case) if archive and not own else None
        outcome = confirm(saved, verdict, label, own=own, sampling=sampling, reviewer=reviewer, note=note)
        if seen is not None:
            with _half_done("the outcome is kept, but the case is not in the archive: confirm it again to add it"):
                remember(self._store, verdict.case, outcome, *seen)
        return outcome

    def retract(self, case: str, *, reviewer: str = "", note: str = "") -> None:
        """Takes back what was confirmed of a case, out of the case store too. Raises ``NotConfirmed`` for another."""
        saved = self._with_folder()
        check_confirmed(saved, case)
        forget(self._store, case, reviewer)
        retract(saved, case, reviewer=reviewer, note=note)

    def relearn(self, *, include_selected: bool = False) -> TrustVersion:
        """Learns trust anew from the calibration cases and the confirmed outcomes, keeps it in the panel's folder, and
        uses it from now on. Older versions stay; ``doubleread trust update --to-version`` goes back to one.

        Selected outcomes are left out unless asked for. Raises ``PanelError`` where there is nothing new to learn from.
        """
        saved = self._with_folder()
        learned = relearn(saved, include_selected=include_selected)
        about = adopt(saved, learned)
        self._use(saved.with_trust(learned.after))
        return about

    async def adiagnose(self, image: Readable) -> Verdict:
        """``diagnose`` for async code."""
        self._check_open()
        return await self._read(case_of(image, self._eyes.images), diagnose)

    async def _read(self, case: Case, how: Callable[[Case, Seats], Awaitable[Verdict]]) -> Verdict:
        return ShownVerdict.of(await how(case, await self.seats(case)))

    async def seats(self, case: Case, *, k: int | None = None) -> Seats:
        """Who reads a case, and what is to be said of it beforehand; for those who drive a reading themselves.

        ``k`` is how many similar cases are found, where it should be another number than the panel's. Raises
        ``ImageError`` for an image that cannot be read.
        """
        self._check_open()
        await self._eyes.embed(case)
        drifted = (warning_of(self._alarms),) if self._alarms else ()
        warnings = (*self._known(case.id), *drifted, *self._unwatched, *await self._odd(case))
        retriever = self._seated.retriever
        return Seats(
            agents=self._seated.agents,
            retriever=retriever if k is None else retriever.finding(k),
            arbiter=self._arbiter,
            referees=self._seated.referees,
            witness=self._witness,
            agent_timeout_s=self._settings.panel.agent_timeout_s,
            warnings=warnings,
        )

    async def adiagnose_many(self, images: Sequence[Readable]) -> AsyncIterator[Verdict | Unread]:
        """``diagnose_many`` for async code."""
        chunk = 4 * self._settings.run.in_flight
        for start in range(0, len(images), chunk):
            for result in await self._chunk(images[start : start + chunk]):
                yield result

    async def astream(
        self, images: Iterable[Readable], *, in_flight: int | None = None
    ) -> AsyncGenerator[tuple[int, Verdict | Unread], None]:
        """Verdicts as they are ready, each with the place of its image, ``in_flight`` images at a time.

        Images are taken as there is room for them. Whatever goes wrong with one is an ``Unread``. Where the consumer
        ends early, images in flight are given up.
        """
        self._check_open()
        waiting, most = enumerate(images), in_flight or self._settings.run.in_flight
        flying: set[asyncio.Task[tuple[int, Verdict | Unread]]] = set()
        with one_thread():
            try:
                while True:
                    flying |= {asyncio.create_task(self._one(*next_)) for next_ in islice(waiting, most - len(flying))}
                    if not flying:
                        return
                    landed, flying = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
                    for task in landed:
                        yield task.result()
            finally:
                for task in flying:
                    task.cancel()
                await asyncio.gather(*flying, return_exceptions=True)

    async def _one(self, place: int, image: Readable) -> tuple[int, Verdict | Unread]:
        case = case_or_unread(image, self._eyes.images)
        if isinstance(case, Unread):
            return place, case
        try:
            return place, await self._read(case, follow)
        except ImageError as error:
            return place, Unread(source=case.source, code=error.code, problem=str(error))
        except FileError:  # the recording cannot be written: no answer of any case could be
            raise
        except Exception as error:  # noqa: BLE001 - one case must not end the others
            told = f"{type(error).__name__}: {error}"[:300]
            return place, Unread(source=case.source, code="failure", problem=told)

    async def _chunk(self, images: Sequence[Readable]) -> list[Verdict | Unread]:
        found = {place: result async for place, result in self.astream(images)}
        return [found[place] for place in range(len(images))]

    def learned_from(self, case: Case) -> bool:
        """Whether the panel was fitted or calibrated on the image: its verdict on it is no judgement of the panel."""
        return case.id in self._calibration or (self._store.holds(case.id) and remembered(self._store, case.id) is None)

    async def nearest(self, case: Case, labels: Sequence[str], per_label: int) -> tuple[Neighbour, ...]:
        """The stored cases of each label that are most like a case's image, label by label, nearest first.

        Never the case itself, a near copy of it, or a case of its group. Raises ``ImageError``.
        """
        self._check_open()
        await self._eyes.embedder.embed(case)
        return await self._seated.retriever.contrast(case, labels, per_label)

    async def similarity(self, one: Case, other: Case) -> float:
        """Cosine of two images' embeddings by the panel's encoder, at most 1. Raises ``ImageError``."""
        self._check_open()
        rows = await asyncio.gather(*(self._eyes.embedder.embed(case) for case in (one, other)))
        return float(rows[0][0] @ rows[1][0])

    async def _look(self, case: Case) -> tuple[Embeddings, int]:
        """A case's embedding, ``(1, dim)``, and perceptual hash; raises ``ImageError``."""
        row = await self._eyes.embedder.embed(case)
        return row, await asyncio.to_thread(hash_picture, case, self._eyes.images)

    async def _odd(self, case: Case) -> tuple[str, ...]:
        """What is unusual in a picture by the standards of those the panel was trusted on, short of an alarm."""
        row = await self._eyes.pictures.embed(case)
        return self._usual.told(row[0].astype(float), alarm=False)

    def _see(self, reference: Reference | None) -> None:
        """Takes what pictures are compared with; one that is unusual in itself raises the alarm from now on."""
        self._reference = reference
        self._usual = usual = NOTHING_USUAL if reference is None else reference.usual
        pictures = self._eyes.pictures

        async def look(case: Case) -> tuple[str, ...]:
            row = await pictures.embed(case)
            return usual.told(row[0].astype(float), alarm=True)

        self._seated.retriever.look = look

    def _known(self, case: str) -> tuple[str, ...]:
        """What to say of a case that the store holds."""
        if not self._store.holds(case):
            return ()
        confirmed = remembered(self._store, case)
        if confirmed is None:
            return ("this image is among the panel's own cases: no verdict on an unseen image",)
        by = f" by {confirmed.reviewer}" if confirmed.reviewer else ""
        return (f"this image was confirmed as {confirmed.label}{by} on {confirmed.added:%Y-%m-%d}",)

    def _trusted_rows(self) -> tuple[Reading, ...]:
        """What the trust was learned from, in the order of the arbiter's held-out cases."""
        if self._saved is not None:
            return learned_rows(self._saved)
        if self._fitted is None:
            raise PanelError("this panel keeps no readings of its calibration cases: fit it again")
        return kept(self.task, self._fitted.calibration, self._fitted.readings)

    def _with_folder(self) -> PanelFolder:
        if self._saved is None:
            raise PanelError("this panel has no folder to keep outcomes in: save it, and load it from there")
        return self._saved

    def _use(self, saved: PanelFolder) -> None:
        """Takes the trust of a folder for its own."""
        self._saved, self._arbiter, self._notes = saved, saved.arbiter, saved.notes
        self._alarms, self._unwatched = (), ()
        try:
            self._alarms = tuple(drift for drift in drifts(saved) if drift.alarm)
        except PanelError as error:  # verdicts do not rest on outcomes, but outcomes no longer watch over them
            self._unwatched = (f"confirmed outcomes cannot be read, so drift would not be noticed: {error}",)

    @cached_property
    def _calibration(self) -> frozenset[str]:
        return calibration_cases(self._saved) if self._saved else frozenset()

    def warm_up(self) -> None:
        """Loads what the first image would have to wait for; nobody is asked, nothing is kept."""
        self._check_open()
        self._store.search(self._eyes.warm_up(), 1)
        self._seated.warm_up()

    # -- life ---------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        self._home.check()
        if not self._closing.alive:
            raise PanelError("this panel was closed: load it again")

    def close(self) -> None:
        """Lets go of the store, the cache and the event loop; a second call does nothing."""
        self._closing()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def _half_done(kept: str) -> Iterator[None]:
    """Adds to an error of the case store what is kept all the same."""
    try:
        yield
    except StoreError as error:
        raise StoreError(f"{error}; {kept}") from None


@contextmanager
def _recorder(settings: Settings) -> Iterator[Witness]:
    """Writes answers down where the settings name a file for them."""
    if not settings.run.record:
        yield nobody
        return
    with Recorder(Path(settings.run.record).expanduser()) as recorder:
        yield recorder


def _let_go(home: OneProcess, background: Background, recording: ExitStack, store: CaseStore, eyes: Eyes) -> None:
    if not home.here:  # closing connections and freeing locks in a fork would do so for the process that holds them
        return
    background.close()
    recording.close()
    store.close()
    eyes.close()


__all__ = ["Panel", "Readable"]
