"""What can be asked of an open panel about its verdicts and cases. Nothing here changes the panel."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from doubleread.core.batch import BatchComparison
from doubleread.core.case import Case
from doubleread.core.errors import TaskError
from doubleread.core.evidence import Neighbour
from doubleread.core.notices import warn_user
from doubleread.core.progress import Progress, silent
from doubleread.core.task import Costs
from doubleread.core.verdict import Unread, Verdict
from doubleread.core.verdict_wording import UNLIKE
from doubleread.orchestrator.course.subject_verdicts import SubjectJudge
from doubleread.orchestrator.explanation.counterfactual import redecided, what_if
from doubleread.orchestrator.explanation.influence import explain
from doubleread.panel._open_panel import OpenPanel
from doubleread.panel.attribution_maps import attribute, no_maps
from doubleread.panel.batch_comparison import compare_verdicts
from doubleread.panel.subjects import subject_of
from doubleread.render.progress_display import shown
from doubleread.render.shown import ShownAttribution, ShownExplanation, ShownVerdict, ShownWhatIf


class VerdictQueries(OpenPanel):
    """Explanations, maps and comparisons of verdicts; see ``Panel``."""

    _judging: SubjectJudge | None = None

    def explain(self, verdict: Verdict) -> ShownExplanation:
        """Explains a verdict: who said what, how far each agent is trusted, and what would change the verdict.

        Examples:
            >>> len(panel.explain(verdict).lines) > 1
            True
        """
        return ShownExplanation.of(explain(verdict, self._arbiter), verdict.case)

    def what_if(
        self, verdict: Verdict, *, costs: Costs | None = None, prevalence: Mapping[str, float] | None = None
    ) -> ShownWhatIf:
        """Computes what the verdict would be with other costs or another prevalence. No agent is asked again.

        The posterior moves from the prior ``s`` to ``s'`` by ``p'(label) ∝ p(label) · s'(label) / s(label)``.

        Args:
            verdict: A verdict of this panel.
            costs: Other costs; the task's if None.
            prevalence: Other shares of some or all labels. The other labels share the rest as before.

        Raises:
            TaskError: The task has no such label.

        Examples:
            >>> panel.what_if(verdict, costs=doubleread.Costs(referral=0.0)).decision.action
            'refer'
        """
        return ShownWhatIf.of(what_if(verdict, self._arbiter, costs, prevalence))

    def redecide(
        self, verdict: Verdict, *, costs: Costs | None = None, prevalence: Mapping[str, float] | None = None
    ) -> Verdict:
        """Returns the verdict with the posterior and decision of ``what_if``. No agent is asked again.

        A referral that has another reason than its expected cost, such as an unfamiliar image, stays. With another
        prevalence there is no prediction set and no track record.

        Examples:
            >>> panel.redecide(verdict, costs=doubleread.Costs(referral=0.0)).decision.action
            'refer'
        """
        return redecided(verdict, self.what_if(verdict, costs=costs, prevalence=prevalence))

    def pool(self, results: Sequence[Verdict | Unread], *, subject: str | None = None) -> Verdict:
        """Makes one verdict from the results of ``diagnose_many`` on a subject's images. No agent is asked again.

        See ``diagnose_subject``.

        Raises:
            DataError: There is no result.

        Examples:
            >>> panel.pool([verdict], subject="plant 7").posterior == verdict.posterior
            True
        """
        name = subject or subject_of(results)
        return ShownVerdict.of(self._judge.verdict(name, results))

    @property
    def _judge(self) -> SubjectJudge:
        """Keeps what it works out for subjects until the panel's trust changes."""
        if self._judging is None or self._judging.arbiter is not self._arbiter:
            self._judging = SubjectJudge(self._arbiter)
        return self._judging

    def attribute(
        self, verdict: Verdict, *, label: str | None = None, progress: Progress | None = None
    ) -> ShownAttribution:
        """Maps which parts of the image each local agent's probability of a label depends on.

        The image is read again with one part after the other covered (occlusion, Zeiler and Fergus 2014). The heat of a
        cell is the mean drop of the agent's calibrated probability when the cell is covered. It takes some seconds on
        a CPU. Agents that ask models have no map, and there is none after an alarm.

        Args:
            verdict: A verdict of this panel.
            label: The label to explain; the most probable one if None.
            progress: Called as parts are covered; see ``fit``.

        Raises:
            TaskError: The task has no such label, or no agent gave an opinion and no label is named.
            ImageError: The image can no longer be read.

        Examples:
            >>> maps = panel.attribute(verdict, label="red")
            >>> maps.picture().save("where.png")
        """
        with shown(progress) as report:
            return self._background.call(self.aattribute, verdict, label=label, progress=report)

    async def aattribute(
        self, verdict: Verdict, *, label: str | None = None, progress: Progress = silent
    ) -> ShownAttribution:
        """Like ``attribute``, for async code; may be cancelled."""
        self._check_open()
        asked = label or verdict.label
        if asked is None:
            raise TaskError(f"no agent gave an opinion on {verdict.case.source}: name a label to ask where it is seen")
        asked = self.task.named(asked)
        if verdict.unfamiliar or verdict.images > 1:
            why = UNLIKE if verdict.unfamiliar else "a map is of one image: ask for that of one of the verdict's shots"
            return ShownAttribution.of_attribution(no_maps(verdict.case, self.agents, asked, why))
        await self._eyes.embed(verdict.case)
        agents = {name: agent for name, agent in self._seated.agents.items() if name not in self._arbiter.left_out}
        found = await attribute(verdict.case, agents, self._arbiter, asked, progress)
        return ShownAttribution.of_attribution(found)

    def compare_batch(self, verdicts: Iterable[Verdict | Unread]) -> BatchComparison:
        """Tests whether the pictures of a batch are like the calibration pictures, and says in what they differ.

        A classifier two-sample test (Lopez-Paz and Oquab 2017) of embeddings and simple statistics at a level of 1 %.
        Whole groups (``Case.group``) are shuffled; of a subject, all images count. Pictures that the panel was fitted
        on are left out. With fewer than 30 pictures nothing is tested, and ``note`` says why. If the batch differs,
        there is also a warning.

        Examples:
            >>> panel.compare_batch([verdict]).note
            'fewer than 30 pictures'
        """
        self._check_open()
        names, said = self.task.names, dict[str, tuple[Case, int]]()
        images = (shot for one in verdicts if isinstance(one, Verdict) for shot in one.shots or (one,))
        for one in images:
            if not self.learned_from(one.case):
                said[one.case.id] = one.case, -1 if one.label is None else names.index(one.label)
        eyes = self._eyes
        found = compare_verdicts(
            list(said.values()),
            self._reference,
            lambda cases: (eyes.embedder.embed_all(cases), eyes.pictures.embed_all(cases)),
        )
        warn_user(["; ".join(found.lines)] if found.differs else [])
        return found

    async def nearest(self, case: Case, labels: Sequence[str], per_label: int) -> tuple[Neighbour, ...]:
        """Returns the ``per_label`` most similar stored cases of each label, label by label, nearest first.

        The case itself, near copies of it and cases of its group are left out.

        Raises:
            ImageError: The image cannot be read.
        """
        self._check_open()
        await self._eyes.embedder.embed(case)
        return await self._seated.retriever.contrast(case, labels, per_label)

    async def similarity(self, one: Case, other: Case) -> float:
        """Returns the cosine similarity of two images' embeddings, at most 1.

        Raises:
            ImageError: An image cannot be read.
        """
        self._check_open()
        rows = await asyncio.gather(*(self._eyes.embedder.embed(case) for case in (one, other)))
        return float(rows[0][0] @ rows[1][0])
