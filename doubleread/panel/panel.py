"""The front door: fit a panel, save and load it, diagnose one image or many.

>>> import doubleread
>>> panel = doubleread.Panel.load("panel")          # doctest: +SKIP
>>> print(panel.diagnose("leaf.jpg"))               # doctest: +SKIP
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Self

from doubleread.core.batch import BatchComparison
from doubleread.core.case import Case
from doubleread.core.errors import TaskError
from doubleread.core.evidence import Neighbour
from doubleread.core.reading import Outcome, Sampling
from doubleread.core.task import Costs, Task
from doubleread.core.types import Embeddings, Progress, silent
from doubleread.core.verdict import Unread, Verdict
from doubleread.core.verdict_wording import UNLIKE
from doubleread.orchestrator.course.follow import follow
from doubleread.orchestrator.course.graph import diagnose
from doubleread.orchestrator.course.seats import Seats
from doubleread.orchestrator.explanation.counterfactual import WhatIf, what_if
from doubleread.orchestrator.explanation.influence import Explanation, explain
from doubleread.orchestrator.prevalence.batch_prevalence import BatchPrevalence, batch_prevalence
from doubleread.panel.attribution_maps import attribute, no_maps
from doubleread.panel.batch_comparison import compare_verdicts
from doubleread.panel.composition import check_names, open_eyes, seat
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
from doubleread.panel.fitting import fit
from doubleread.panel.image_stream import Readable, case_of, verdicts_of
from doubleread.panel.open_panel import OpenPanel, recording
from doubleread.panel.panel_folder import (
    PanelFolder,
    check_prompts,
    check_sights,
    open_store,
    read_panel,
    restore_agents,
)
from doubleread.panel.saving import allow_own, write_panel
from doubleread.panel.trust_folder import TrustVersion
from doubleread.rag.near_copies.copy_finder import hash_picture
from doubleread.render.shown import ShownAttribution, ShownVerdict
from doubleread.settings import Settings, load_settings

_log = logging.getLogger(__name__)


class Panel(OpenPanel):
    """A fitted panel. Make one with ``fit`` or ``load``; close it, or use it in a ``with`` block."""

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
            with recording(settings) as witness:
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
        check_allowed(saved.folder, saved.head.id, saved.asks, allow=allow_from_panel)
        versions = {name: prompt.version for name, prompt in saved.head.provenance.prompts.items()}
        eyes = open_eyes(saved.settings, saved.head.encoder, versions, saved.head.near)
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
        panel._unread = saved.head.unread
        panel._see(saved.reference)
        panel._use(saved)
        return panel

    # -- diagnosing ---------------------------------------------------------------------------------------------

    def diagnose(self, image: Readable) -> Verdict:
        """The panel's verdict on one image. Raises ``ImageError`` for an image that cannot be read."""
        return self._background.call(self.adiagnose, image)

    def diagnose_many(self, images: Sequence[Readable]) -> Iterator[Verdict | Unread]:
        """Verdicts in the order of the images; an image that cannot be read gives an ``Unread`` in its place."""
        chunk = 4 * self._settings.run.in_flight
        for start in range(0, len(images), chunk):
            yield from self._background.call(self._chunk, images[start : start + chunk])

    async def adiagnose(self, image: Readable) -> Verdict:
        """``diagnose`` for async code."""
        self._check_open()
        return await self._read(case_of(image, self._eyes.images), diagnose)

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

    async def _chunk(self, images: Sequence[Readable]) -> list[Verdict | Unread]:
        found = {place: result async for place, result in self.astream(images)}
        return [found[place] for place in range(len(images))]

    def hold(self, data: bytes, like: Case) -> Case:
        """An encoded image in memory as a case with label, group and source of another, for ``diagnose`` and its kin.

        Evidence leaves out the group, as it does for ``like`` itself. Memory is limited: read it soon.
        """
        own = {"source": like.source, "label": like.label, "group": like.group, "metadata": like.metadata}
        return case_of(data, self._eyes.images).model_copy(update=own)

    # -- looking closer -----------------------------------------------------------------------------------------

    def explain(self, verdict: Verdict) -> Explanation:
        """Why this panel gave a verdict: who said what, how far each is trusted, what would be without each of them."""
        return explain(verdict, self._arbiter)

    def what_if(
        self, verdict: Verdict, *, costs: Costs | None = None, prevalence: Mapping[str, float] | None = None
    ) -> WhatIf:
        """The verdict under other costs or another prevalence; nobody is asked again.

        ``prevalence`` may name some labels only. Raises ``TaskError`` for labels that the task does not know.
        """
        return what_if(verdict, self._arbiter, costs, prevalence)

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
        eyes = self._eyes
        return compare_verdicts(
            list(said.values()),
            self._reference,
            lambda cases: (eyes.embedder.embed_all(cases), eyes.pictures.embed_all(cases)),
        )

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
        """Keeps what turned out to be true of a verdict's case, for trust to be learned from (``relearn``).

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
        told = outcome_of(saved, verdict, label, own=own, sampling=sampling, reviewer=reviewer, note=note)
        (outcome,) = keep(saved, [told])
        if seen is not None:
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

    async def _look(self, case: Case) -> tuple[Embeddings, int]:
        """A case's embedding, ``(1, dim)``, and perceptual hash; raises ``ImageError``."""
        row = await self._eyes.embedder.embed(case)
        return row, await asyncio.to_thread(hash_picture, case, self._eyes.images)
