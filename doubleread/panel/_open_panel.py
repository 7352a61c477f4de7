"""The state and the properties of an open panel."""

import asyncio
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Self

from doubleread.agents.recorded.recorder import Recorder
from doubleread.agents.wire.budget import Spending
from doubleread.core.agent_ports import Agent, TakesHints
from doubleread.core.background import Background
from doubleread.core.case import Case
from doubleread.core.errors import PanelError, UnknownPart
from doubleread.core.notices import first_few
from doubleread.core.ports import CaseStore
from doubleread.core.process import OneProcess
from doubleread.core.reading import Reading
from doubleread.core.task import Task
from doubleread.core.trust import PanelMember, TrustProfile
from doubleread.core.verdict import Unread
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.kept import kept
from doubleread.orchestrator.course.seats import Seats, Witness, nobody
from doubleread.orchestrator.trust.drift import Drift, warning_of
from doubleread.orchestrator.trust.panel_members import left_out, panel_members
from doubleread.panel._panel_overview import panel_overview
from doubleread.panel._reference import PictureReference
from doubleread.panel.composition import Eyes, Seated
from doubleread.panel.feedback import calibration_cases, drifts, known_as, learned_rows, remembered
from doubleread.panel.fitted_pictures import FittedPictures
from doubleread.panel.fitting import FittedPanel
from doubleread.panel.panel_folder import AboutPanel, PanelFolder, digest_of
from doubleread.panel.provenance import provenance
from doubleread.rag.images.image_policy import ImagePolicy
from doubleread.rag.images.picture_quality import NOTHING_USUAL
from doubleread.render.overview import HasOverview, Overview
from doubleread.settings import Settings


class OpenPanel(HasOverview):
    """The parts of a panel; see ``Panel``."""

    def __init__(self, settings: Settings, eyes: Eyes, seated: Seated, store: CaseStore, arbiter: Arbiter) -> None:
        self._settings, self._eyes, self._seated, self._store, self._arbiter = settings, eyes, seated, store, arbiter
        self._fitted: FittedPanel | None = None
        self._saved: PanelFolder | None = None
        self._alarms: tuple[Drift, ...] = ()
        self._unwatched: tuple[str, ...] = ()
        self._notes: tuple[str, ...] = ()
        self._warnings: tuple[str, ...] = ()
        self._unused: tuple[str, ...] = ()
        self._unread: tuple[Unread, ...] = ()
        self._background, self._home = Background(), OneProcess()
        self._recording = ExitStack()
        self._witness = self._recording.enter_context(recording(settings))
        self._closing = weakref.finalize(self, _let_go, self._home, self._background, self._recording, store, eyes)
        self._closing.atexit = False
        self._odd_kinds = set[str]()
        self._see(None, FittedPictures())

    @property
    def settings(self) -> Settings:
        """The settings it was fitted with, with those of this machine for running it."""
        return self._settings

    @property
    def folder(self) -> Path:
        """The panel's folder.

        Raises:
            PanelError: The panel was never saved.
        """
        return self._with_folder().folder

    def about(self) -> AboutPanel:
        """Returns digest, archive version and provenance of the panel as it is now.

        Raises:
            PanelError: The panel has no folder.
        """
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
        """Names of the agents, then of the referees, without those that fitting left out."""
        seated = (*self._seated.agents, *self._seated.referees)
        return tuple(name for name in seated if name not in self._arbiter.left_out)

    @property
    def members(self) -> tuple[PanelMember, ...]:
        """Every agent and referee with its state, in the order of the settings; those that are never asked included."""
        return panel_members(self._arbiter)

    @property
    def taking_hints(self) -> tuple[str, ...]:
        """Names of the agents that can be given a hint. The others look only at the image."""
        return tuple(name for name, agent in self._seated.agents.items() if isinstance(agent, TakesHints))

    @property
    def profiles(self) -> tuple[TrustProfile, ...]:
        """The trust profile of each agent in each round, and of the panel."""
        return self._arbiter.profiles

    @property
    def encoder_note(self) -> str:
        """Which encoder is used, and why."""
        return f"encoder {self._eyes.choice.name}: {self._eyes.choice.reason}"

    @property
    def encoder_is_fallback(self) -> bool:
        """Whether the embedded encoder replaces a CLIP encoder whose weights are not on this machine."""
        return self._eyes.choice.fallback

    @property
    def notes(self) -> tuple[str, ...]:
        """What fitting reported, apart from warnings: what trust was learned from, what was chosen, and why."""
        return self._notes

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes its verdicts worse or less certain, as far as fitting and loading found it.

        ``fit`` warns of all of it with ``DoublereadWarning``; ``load`` only of what is new on this machine.

        Examples:
            >>> [line for line in panel.warnings if "groups" in line]
            []
        """
        encoder = (self.encoder_note,) if self.encoder_is_fallback else ()
        return tuple(dict.fromkeys((*encoder, *skipped(self._unread), *self._warnings, *self._here)))

    @property
    def _here(self) -> tuple[str, ...]:
        """Warnings that loading found."""
        drifted = (warning_of(self._alarms),) if self._alarms else ()
        return (*self._unused, *drifted, *self._unwatched)

    @property
    def left_out(self) -> dict[str, str]:
        """The agents and referees that fitting left out, each with the reason."""
        return left_out(self._arbiter)

    @property
    def unread(self) -> tuple[Unread, ...]:
        """Cases that fitting could not read."""
        return self._unread

    @property
    def trust_version(self) -> int:
        """The version of trust in use: 1 as fitted, higher after learning from outcomes."""
        return self._saved.trust.version if self._saved else 1

    @property
    def alarms(self) -> tuple[Drift, ...]:
        """Drift alarms found at loading: an agent or the panel no longer matches its record. Verdicts then warn."""
        return self._alarms

    @property
    def image_policy(self) -> ImagePolicy:
        """How it reads images."""
        return self._eyes.images.policy

    @property
    def spent(self) -> dict[str, Spending]:
        """What each agent has spent on models, fitting included; empty without such agents."""
        return self._eyes.models.wire.budget.spent_by if self._eyes.models is not None else {}

    def learned_from(self, case: Case) -> bool:
        """Whether the panel was fitted or calibrated on the image; its verdict on it then cannot grade the panel."""
        return case.id in self._calibration or (self._store.holds(case.id) and remembered(self._store, case.id) is None)

    def reader(self, name: str) -> Agent:
        """Returns an agent as the panel uses it.

        Raises:
            UnknownPart: The panel has no such agent.

        Examples:
            >>> panel.reader("logistic").name
            'logistic'
        """
        if name not in self._seated.agents:
            raise UnknownPart("agent of this panel", name, self._seated.agents)
        return self._seated.agents[name]

    def calibration_readings(self) -> tuple[Reading, ...]:
        """Returns what the agents said about the calibration images; empty if the panel does not keep it.

        Examples:
            >>> row = panel.calibration_readings()[0]
            >>> row.label in panel.task.names
            True
        """
        try:
            return self._trusted_rows()
        except PanelError:
            return ()

    def calibration_images(self) -> tuple[Case, ...]:
        """Returns the calibration images whose files are still where they were when the panel was fitted.

        A panel with calibration images of their own, which are not in its archive, does not know their files.

        Examples:
            >>> all(case.path.is_file() for case in panel.calibration_images())
            True
        """
        if self._fitted is not None:
            found: Sequence[Case] = self._fitted.calibration
        else:
            ids = [row.case for row in self.calibration_readings() if self._store.holds(row.case)]
            found = [one.case for one in self._store.get(ids)]
        return tuple(case for case in found if case.label and case.path is not None and case.path.is_file())

    async def seats(self, case: Case, *, k: int | None = None) -> Seats:
        """Returns who reads a case, and the warnings known beforehand, for code that drives a reading itself.

        Args:
            case: The case.
            k: Number of similar cases to find; the panel's if None.

        Raises:
            ImageError: The image cannot be read.
        """
        self._check_open()
        await self._eyes.embed(case)
        drifted = (warning_of(self._alarms),) if self._alarms else ()
        picture = await asyncio.to_thread(self._eyes.images.record, case)
        odd = (*self._pictures.warnings(picture), *await self._odd(case))
        warnings = (*known_as(self._store, case.id), *drifted, *self._unwatched, *odd)
        retriever = self._seated.retriever
        return Seats(
            agents=self._seated.agents,
            retriever=retriever if k is None else retriever.finding(k),
            arbiter=self._arbiter,
            referees=self._seated.referees,
            witness=self._witness,
            agent_timeout_s=self._settings.panel.agent_timeout_s,
            warnings=warnings,
            picture=picture,
        )

    def warm_up(self) -> None:
        """Loads everything that the first image would have to wait for. No agent is asked."""
        self._check_open()
        self._store.search(self._eyes.warm_up(), 1)
        self._seated.warm_up()

    def close(self) -> None:
        """Closes archive, cache and event loop. Calling it again does nothing."""
        self._closing()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _overview(self, *, pictures: bool) -> Overview:
        del pictures
        folder = str(self._saved.folder) if self._saved else "not saved"
        return panel_overview(self, folder, self._eyes.choice.name)

    def _see(self, reference: PictureReference | None, fitted: FittedPictures) -> None:
        """Sets what pictures are compared with; from now on, unusual pictures raise the alarm."""
        self._reference, self._pictures = reference, fitted
        self._usual = usual = NOTHING_USUAL if reference is None else reference.usual
        pictures = self._eyes.pictures

        async def look(case: Case) -> tuple[str, ...]:
            row = await pictures.embed(case)
            return usual.told(row[0].astype(float), alarm=True)

        self._seated.retriever.look = look

    async def _odd(self, case: Case) -> tuple[str, ...]:
        """Describes what is unusual in a picture compared with the reference, short of an alarm."""
        row = await self._eyes.pictures.embed(case)
        return self._usual.told(row[0].astype(float), alarm=False)

    def _trusted_rows(self) -> tuple[Reading, ...]:
        """Returns the readings that trust was learned from, in the order of the arbiter's held-out cases."""
        if self._saved is not None:
            return learned_rows(self._saved)
        if self._fitted is None:
            raise PanelError("this panel has no stored answers on its calibration images: fit it again")
        return kept(self.task, self._fitted.calibration, self._fitted.readings)

    def _with_folder(self) -> PanelFolder:
        if self._saved is None:
            raise PanelError("this panel has no folder to keep outcomes in: save it, and load it from there")
        return self._saved

    def _use(self, saved: PanelFolder) -> None:
        """Uses the trust of a folder."""
        self._saved, self._arbiter, self._notes, self._warnings = saved, saved.arbiter, saved.notes, saved.warnings
        self._alarms, self._unwatched = (), ()
        try:
            self._alarms = tuple(drift for drift in drifts(saved) if drift.alarm)
        except PanelError as error:  # verdicts do not need outcomes, but drift can no longer be detected
            self._unwatched = (f"confirmed outcomes cannot be read, so drift would not be noticed: {error}",)

    @cached_property
    def _calibration(self) -> frozenset[str]:
        return calibration_cases(self._saved) if self._saved else frozenset()

    def _check_open(self) -> None:
        self._home.check()
        if not self._closing.alive:
            raise PanelError("this panel was closed: load it again")


def skipped(unread: Sequence[Unread]) -> tuple[str, ...]:
    """Returns warnings about cases that could not be read."""
    return first_few([f"skipped {row.source}: {row.problem}" for row in unread], "{n:,} more images skipped")


@contextmanager
def recording(settings: Settings) -> Iterator[Witness]:
    """Records answers if the settings name a file for them."""
    if not settings.run.record:
        yield nobody
        return
    with Recorder(Path(settings.run.record).expanduser()) as recorder:
        yield recorder


def _let_go(home: OneProcess, background: Background, recording: ExitStack, store: CaseStore, eyes: Eyes) -> None:
    if not home.here:  # a fork would close connections and release locks of its parent
        return
    background.close()
    recording.close()
    store.close()
    eyes.close()
