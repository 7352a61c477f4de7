"""Fit a panel, save and load it, diagnose images, and learn from outcomes."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
    Sized,
)
from contextlib import ExitStack, aclosing
from itertools import islice
from pathlib import Path
from typing import Self

from doubleread.core.case import Case
from doubleread.core.notices import unless_given, warn_user
from doubleread.core.progress import Progress
from doubleread.core.reading import Outcome, Sampling
from doubleread.core.task import Task
from doubleread.core.types import Embeddings
from doubleread.core.verdict import Unread, Verdict
from doubleread.orchestrator.course.follow import follow
from doubleread.orchestrator.course.graph import diagnose
from doubleread.orchestrator.course.seats import Seats
from doubleread.orchestrator.prevalence.batch_prevalence import BatchPrevalence, batch_prevalence
from doubleread.panel._open_panel import recording, skipped
from doubleread.panel._verdict_queries import VerdictQueries
from doubleread.panel.composition import open_eyes, seat
from doubleread.panel.consent import check_allowed
from doubleread.panel.feedback import (
    adopt,
    check_confirmed,
    fitted_on,
    forget,
    keep,
    outcome_of,
    relearn,
    remember,
    retract,
)
from doubleread.panel.first_checks import check_first, check_fitted
from doubleread.panel.fitted_pictures import batch_warning, learned_limits
from doubleread.panel.fitting import fit
from doubleread.panel.image_stream import Readable, case_of, several, verdicts_of
from doubleread.panel.panel_folder import (
    PanelFolder,
    check_prompts,
    check_sights,
    open_store,
    read_panel,
    restore_agents,
)
from doubleread.panel.saving import allow_own, write_panel
from doubleread.panel.subjects import check_single
from doubleread.panel.trust_folder import TrustVersion
from doubleread.rag.near_copies.copy_finder import hash_picture
from doubleread.render.progress_display import shown
from doubleread.render.shown import ShownVerdict
from doubleread.settings import Settings, load_settings


class Panel(VerdictQueries):
    """A panel of agents that diagnoses images. Make one with ``fit`` or ``load``, and close it after use.

    An image is a path, the bytes of an image file, a PIL image, or a ``Case``. A panel may be used from any thread or
    event loop of the process that made it. In a forked child its methods raise ``PanelError``: load it again there.

    Examples:
        >>> with doubleread.Panel.load("panel") as panel:
        ...     verdict = panel.diagnose("leaf.jpg")
        >>> verdict.label
        'red'
    """

    @classmethod
    def fit(
        cls,
        cases: Iterable[Case],
        task: Task,
        *,
        settings: Settings | None = None,
        progress: Progress | None = None,
        keep_going: bool = False,
    ) -> Self:
        """Fits a panel on labelled cases.

        Agents are fitted on the ``support`` split, and trust is learned on the ``calibration`` split. Without a
        calibration split, trust comes from cross-fitting that keeps groups whole. Cases of split ``test`` are not used.
        The panel keeps its cases in memory until ``save``.

        Args:
            cases: Labelled cases, such as ``Dataset.cases``.
            task: What is diagnosed, such as ``Dataset.task``.
            settings: Those of ``load_settings()`` if None.
            progress: Called with what is done, how much of it, and how much there is; ``doubleread.silent`` shows
                nothing. If None, bars are shown in a terminal or notebook; else messages are logged (INFO).
            keep_going: Goes on without agents that cannot answer.

        Raises:
            DataError: There are too few cases.
            PanelError: An agent cannot answer.
            EncoderError: The encoder cannot be used.
            UnknownPart: There is no such agent, fusion rule, calibrator or store.

        Examples:
            >>> dataset = doubleread.read_dataset("photos")
            >>> settings = doubleread.load_settings(None, {"panel": {"agents": ["logistic"]}, "trust": {"folds": 2}})
            >>> with doubleread.Panel.fit(dataset.cases, dataset.task, settings=settings) as fitted:
            ...     fitted.agents
            ('logistic',)
        """
        settings = settings or load_settings()
        check_first(settings)
        given = tuple(cases)
        eyes = open_eyes(settings, limits=learned_limits(given, settings))
        try:
            with recording(settings) as witness, shown(progress) as report:
                fitted = fit(given, task, settings, eyes, report, witness, keep_going=keep_going)
        except BaseException:
            eyes.close()
            raise
        panel = cls(settings, eyes, fitted.seated, fitted.store, fitted.arbiter)
        panel._fitted, panel._notes, panel._warnings = fitted, fitted.notes, fitted.warnings
        panel._unread = fitted.unread
        panel._see(fitted.reference, fitted.pictures)
        warn_user(unless_given(panel.warnings))
        return panel

    def save(self, folder: str | Path) -> Path:
        """Writes a panel that was just fitted to a folder, completely or not at all, and returns the folder.

        A panel that is already there is replaced. The addresses, key variables and files that its settings name count
        as allowed for you.

        Raises:
            PanelError: The folder exists and is not a panel, or holds confirmed outcomes, or this panel was loaded.
        """
        written = write_panel(Path(folder), self._settings, self._eyes, self._fitted)
        allow_own(written)
        return written

    @classmethod
    def load(cls, folder: str | Path, *, settings: Settings | None = None, allow_from_panel: bool = False) -> Self:
        """Loads a panel from its folder.

        A panel from somebody else may name addresses, key variables and files. They are used only if ``settings`` name
        them too, if you fitted the panel, or if you allow them.

        Args:
            folder: The folder that ``save`` wrote.
            settings: Settings of scope ``run`` that these name replace the panel's. A setting of scope ``fit`` that
                differs is not used, and a warning says so: fit again to change it.
            allow_from_panel: Allows what the panel's folder asks for now, and remembers it.

        Raises:
            NotAllowed: The panel asks for something that is not allowed. Nothing was contacted.
            PanelError: The folder does not hold a panel, is damaged, or its prompts have changed.
            EncoderMismatch: The encoder here is not the one that the panel was fitted with.
        """
        saved: PanelFolder = read_panel(Path(folder), settings)
        check_allowed(saved.folder, saved.head.id, saved.asks, allow=allow_from_panel)
        check_fitted(saved.settings, settings)
        versions = {name: prompt.version for name, prompt in saved.head.provenance.prompts.items()}
        eyes = open_eyes(saved.settings, saved.head.encoder, versions, saved.head.near, saved.head.pictures.limits)
        with ExitStack() as undo:
            undo.callback(eyes.close)
            store = open_store(saved, eyes)
            undo.callback(store.close)
            seated = seat(saved.settings, saved.arbiter.task, eyes, store, saved.head.weighting)
            check_prompts(saved, seated)
            check_sights(saved, eyes)
            restore_agents(saved, seated)
            undo.pop_all()
        panel = cls(saved.settings, eyes, seated, store, saved.arbiter)
        panel._unread, panel._unused = saved.head.unread, saved.unused
        panel._see(saved.reference, saved.head.pictures)
        panel._use(saved)
        warn_user(panel._here)
        return panel

    # -- diagnosing ---------------------------------------------------------------------------------------------

    def diagnose(self, image: Readable) -> Verdict:
        """Diagnoses one image.

        Raises:
            ImageError: The image cannot be read.

        Examples:
            >>> panel.diagnose("leaf.jpg").decision.action
            'commit'
        """
        return self._background.call(self.adiagnose, image)

    def diagnose_many(
        self, images: Iterable[Readable], *, progress: Progress | None = None
    ) -> Iterator[Verdict | Unread]:
        """Diagnoses many images, ``run.in_flight`` at a time, and yields results in their order.

        Images are taken as they are needed, also from a generator such as ``Path("photos").rglob("*.jpg")``. An image
        that cannot be read gives an ``Unread`` in its place. ``progress`` is as for ``fit``.

        Raises:
            DataError: One image was given instead of several.

        Examples:
            >>> [type(one).__name__ for one in panel.diagnose_many(["leaf.jpg", "missing.jpg"])]
            ['ShownVerdict', 'Unread']
        """
        waiting, done = iter(several(images)), 0
        with shown(progress) as report:
            while some := self._some(waiting):
                found = self._background.call(self._chunk, some)
                done += len(found)
                report("diagnosing images", done, len(images) if isinstance(images, Sized) else done)
                yield from found

    def diagnose_subject(self, images: Sequence[Readable], *, subject: str | None = None) -> Verdict:
        """Diagnoses several images of one subject, such as a plant, and returns one verdict for all of them.

        The images' posteriors are pooled as learned from calibration cases with a ``subject``, or else their mean is
        used and a warning says so. An image counts once; one that failed or raised the alarm makes the verdict less
        sure. ``Verdict.shots`` holds the images' verdicts. ``subject`` is a name; if None, that of the images' cases.

        Raises:
            DataError: There is no image.

        Examples:
            >>> panel.diagnose_subject(["leaf.jpg", "missing.jpg"], subject="plant 7").images
            2
        """
        return self.pool(list(self.diagnose_many(images)), subject=subject)

    async def adiagnose_subject(self, images: Sequence[Readable], *, subject: str | None = None) -> Verdict:
        """Like ``diagnose_subject``, for async code."""
        return self.pool([one async for one in self.adiagnose_many(images)], subject=subject)

    async def adiagnose(self, image: Readable) -> Verdict:
        """Like ``diagnose``, for async code."""
        self._check_open()
        return await self._read(case_of(image, self._eyes.images), diagnose)

    async def adiagnose_many(self, images: Iterable[Readable]) -> AsyncIterator[Verdict | Unread]:
        """Like ``diagnose_many``, for async code."""
        waiting = iter(several(images))
        while some := self._some(waiting):
            for result in await self._chunk(some):
                yield result

    async def astream(
        self, images: Iterable[Readable] | AsyncIterable[Readable], *, in_flight: int | None = None
    ) -> AsyncGenerator[tuple[int, Verdict | Unread], None]:
        """Diagnoses images and yields ``(position, result)`` pairs as they are ready.

        Any failure with one image is an ``Unread``. If the consumer stops early, images in flight are cancelled.

        Args:
            images: Taken from the iterable as there is room for them. While an async iterable waits for its next image,
                those that were taken go on.
            in_flight: Images read at the same time; ``run.in_flight`` if None.
        """
        self._check_open()
        flying = verdicts_of(
            images,
            self._eyes.images,
            lambda case: self._read(case, follow),
            in_flight or self._settings.run.in_flight,
        )
        async with aclosing(flying):
            async for landed in flying:
                yield landed

    async def _read(self, case: Case, how: Callable[[Case, Seats], Awaitable[Verdict]]) -> Verdict:
        return ShownVerdict.of(await how(case, await self.seats(case)))

    def _some(self, waiting: Iterator[Readable]) -> list[Readable]:
        return list(islice(waiting, 4 * self._settings.run.in_flight))

    async def _chunk(self, images: Sequence[Readable]) -> list[Verdict | Unread]:
        found = {place: result async for place, result in self.astream(images)}
        pictures = [one.picture for one in found.values() if isinstance(one, Verdict)]
        warn_user(batch_warning(self._pictures, pictures, self._odd_kinds))
        return [found[place] for place in range(len(images))]

    def hold(self, data: bytes, like: Case) -> Case:
        """Makes a case from the bytes of an image file, with the label, group and source of another case.

        Use it to diagnose a changed version of an image: evidence then leaves out the group of the original. The bytes
        are kept in a limited memory, so diagnose the case soon.
        """
        own = {"source": like.source, "label": like.label, "group": like.group, "metadata": like.metadata}
        return case_of(data, self._eyes.images).model_copy(update=own)

    def prevalence(self, images: Sequence[Readable], *, progress: Progress | None = None) -> BatchPrevalence:
        """Estimates the label shares of unlabelled images, with 95 % intervals. The panel itself does not change.

        The mean answer on the batch is explained as a mixture of the mean answers on held-out cases of each label
        (adjusted count). There is no estimate, and a reason instead, if the images differ from the calibration cases in
        more than label shares, or if there are too few. Images that the panel was fitted on are left out.

        Raises:
            PanelError: The panel keeps no readings.

        Examples:
            >>> found = panel.prevalence(["leaf.jpg"])  # too few images
            >>> found.images, found.shares, found.refused != ""
            (1, {}, True)
        """
        rows, read = self._trusted_rows(), self.diagnose_many(images, progress=progress)
        unseen = [one for one in read if isinstance(one, Unread) or not self.learned_from(one.case)]
        found = batch_prevalence(self._arbiter, rows, unseen, learned_from=len(images) - len(unseen))
        warn_user(skipped(found.unread))
        return found

    # -- learning from outcomes ---------------------------------------------------------------------------------

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
        """Records the true label of a case that the panel gave a verdict on. ``relearn`` learns from it.

        Args:
            verdict: A verdict of this panel.
            label: The true label.
            reviewer: Who confirms it.
            note: Anything worth recording.
            sampling: ``all`` if every case of a stream is confirmed, whatever the verdict.
            archive: Whether the case joins the archive and becomes evidence for other images.

        Raises:
            PanelError: The panel has no folder, or the verdict is on its own case, several images, or another panel's.
            TaskError: The task has no such label.
            ImageError: The image can no longer be read; nothing was stored. Use ``archive=False``.
            FileError: The outcome could not be written.
            StoreError: The case could not be added to the archive. The message says what was stored; the same call
                completes it later.

        Examples:
            >>> panel.confirm(verdict, "red", reviewer="ann", archive=False).kind
            'confirmed'
            >>> panel.retract(verdict.case.id)
        """
        saved = self._with_folder()
        self._check_open()
        check_single(verdict)
        own = verdict.case.id in self._calibration or fitted_on(self._store, verdict)
        seen = self._background.call(self._look, verdict.case) if archive and not own else None
        told = outcome_of(saved, verdict, label, own=own, sampling=sampling, reviewer=reviewer, note=note)
        (outcome,) = keep(saved, [told])
        if seen is not None:
            remember(self._store, verdict.case, outcome, *seen)
        return outcome

    def retract(self, case: str, *, reviewer: str = "", note: str = "") -> None:
        """Takes back the outcome of a case, by case id, and removes the case from the archive.

        Raises:
            NotConfirmed: The case has no outcome.
        """
        saved = self._with_folder()
        check_confirmed(saved, case)
        forget(self._store, case, reviewer)
        retract(saved, case, reviewer=reviewer, note=note)

    def relearn(self, *, include_selected: bool = False) -> TrustVersion:
        """Learns a new version of trust from the calibration cases and the confirmed outcomes, and uses it from now on.

        The version is stored in the panel's folder. Older versions stay; ``doubleread trust update --to-version`` goes
        back to one.

        Args:
            include_selected: Whether outcomes of selected cases (see ``confirm``) count for accuracy too.

        Raises:
            PanelError: There is nothing new to learn from, or the panel has no folder.
        """
        saved = self._with_folder()
        learned = relearn(saved, include_selected=include_selected)
        about = adopt(saved, learned)
        self._use(saved.with_trust(learned.after))
        warn_user((*about.warnings, *self._here))
        return about

    async def _look(self, case: Case) -> tuple[Embeddings, int]:
        """A case's embedding, ``(1, dim)``, and perceptual hash; raises ``ImageError``."""
        row = await self._eyes.embedder.embed(case)
        return row, await asyncio.to_thread(hash_picture, case, self._eyes.images)
