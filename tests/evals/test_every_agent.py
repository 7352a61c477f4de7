"""Every agent of a panel stands wherever its agents are listed, also one that never answered."""

import csv
import json
from hashlib import sha256

import pytest
from kit import photo, unspaced
from models_kit import images

import doubleread
from doubleread.cli.cmd_compare_trust import not_compared
from doubleread.cli.tables import show_evaluation, show_trust
from doubleread.cli.trust_export import trust_csv, trust_json
from doubleread.core.progress import silent
from doubleread.evals.datasets import read_dataset
from doubleread.evals.metrics.markdown_report import markdown
from doubleread.evals.trust_comparison import compare
from doubleread.mock_server import MockReply, RawReply, running
from doubleread.mock_server.dry_run import DryRun, thumbnail
from doubleread.orchestrator.trust.panel_members import panel_members
from doubleread.panel import Panel
from doubleread.panel.feedback import graded
from doubleread.panel.panel_folder import read_panel
from doubleread.rag.images.case_images import Images
from doubleread.settings import load_settings

WHY = "pictures are not taken on Mondays"
PROSE = MockReply(text="I think that it looks like a disc.")


class Mumbles(DryRun):
    """Its first answer about some of the pictures cannot be read; the model ``deaf`` refuses all."""

    mumbled = frozenset[str]()

    def __call__(self, received):
        if received.body["model"].startswith("deaf"):
            return RawReply(422, {"detail": WHY})
        (url,) = images(received.body)
        if url in self.mumbled or sha256(url.encode()).digest()[0] % 3:
            return super().__call__(received)
        self.mumbled |= {url}
        return PROSE


@pytest.fixture(scope="module")
def evaluated(dataset, settings, tmp_path_factory):
    """A panel whose agent ``gpt`` had to be asked twice now and then, and whose agent ``deaf`` never answered."""
    folder = tmp_path_factory.mktemp("every")
    for hue, label in enumerate(dataset.task.names):
        for i in range(4):
            photo(folder / "unseen" / label / f"{i}.png", hue, seed=7000 + 100 * hue + i)
    unseen = read_dataset(folder / "unseen")
    cases, opened = [*dataset.cases, *unseen.cases], Images()
    model = Mumbles(cases, [thumbnail(opened.open(case)) for case in cases], accuracy=1.0)
    with running(otherwise=model) as mock:
        vlm = {"base_url": mock.base_url, "attempts": 1, "attempt_timeout_s": 30.0, "price": {"input": 1, "output": 1}}
        flags = {
            "encoder": settings.encoder.model_dump(),
            "trust": {"folds": 2, "consistency_cases": 0, "calibrator": "temperature"},
            "fusion": {"rule": "log-pool"},
            "second_look": {"max_rounds": 1},
            "cascade": {"max_share": 1.0},
            "panel": {"agents": ("neighbours", "deaf", "gpt")},
            "vlm": {name: {**vlm, "model": f"{name} of {folder.name}"} for name in ("deaf", "gpt")},
        }
        chosen = load_settings(None, flags)
        with Panel.fit(dataset.cases, dataset.task, settings=chosen, keep_going=True, progress=silent) as panel:
            panel.save(folder / "panel")
            spent = panel.spent
        with Panel.load(folder / "panel", settings=chosen) as panel:
            yield panel, spent, doubleread.evaluate_panel(panel, unseen, out=folder / "run", progress=silent)


def test_fitting_counts_questions_that_were_asked_twice(evaluated):
    _, spent, _ = evaluated
    assert spent["gpt"].repeated > 0
    assert spent["gpt"].calls == 30 + spent["gpt"].repeated
    assert spent["deaf"].repeated == 0


def test_the_panel_names_all_its_members(evaluated, capsys):
    panel, _, _ = evaluated
    assert [(one.agent, one.answered, bool(one.unused)) for one in panel.members] == [
        ("neighbours", "30", False),
        ("deaf", "0 of 30", True),
        ("gpt", "30", False),
    ]
    assert {one.agent: one.unused for one in panel.members if one.unused} == panel.left_out
    assert "left out  deaf (0 of 30)" in str(panel)
    assert f"deaf is not used: {panel.left_out['deaf']}" in str(panel)
    assert "<td>deaf (not used)</td><td>0 of 30</td>" in panel._repr_html_()
    show_trust(panel.profiles, panel.members)
    out = capsys.readouterr().out
    assert unspaced("deaf 0 of 30 not used") in unspaced(out)
    assert unspaced(WHY) in unspaced(out)


def test_an_evaluation_names_them_and_says_why(evaluated):
    panel, _, judged = evaluated
    found = judged.evaluation
    assert {one.reader for one in found.agents} == {"neighbours", "gpt"}
    (deaf,) = found.silent
    assert (deaf.reader, deaf.n, deaf.abstained) == ("deaf", 0, 12)
    assert deaf.why == f"not used: {panel.left_out['deaf']}"
    written = json.loads((judged.folder / "evaluation.json").read_text())
    assert written["silent"][0]["n"] == 0
    assert written["spending"]["gpt"]["calls"] == 12 + found.spending["gpt"].repeated > 12
    assert set(written["spending"]) == {"gpt"}
    assert f"deaf: 0 of 12 answered; not used: {panel.left_out['deaf']}" in str(judged)
    with (judged.folder / "cases.csv").open(newline="") as file:
        assert {row["agent:deaf:no_answer"] for row in csv.DictReader(file)} == {"not asked"}


def test_terminal_markdown_and_report_show_them(evaluated, capsys):
    _, _, judged = evaluated
    show_evaluation(judged.evaluation)
    out, page = capsys.readouterr().out, judged.report.read_text(encoding="utf-8")
    text = markdown(judged.evaluation)
    assert unspaced("deaf 0 of 12") in unspaced(out)
    assert "| deaf | 0 of 12 |" in text
    assert '<th scope="row">deaf</th><td>0 of 12</td>' in page
    assert "· 3 agents ·" in page
    for shown in (out, text, page):
        assert unspaced(WHY) in unspaced(shown)
        assert "asked twice" in shown


def test_files_and_comparisons_of_trust_name_them(evaluated):
    panel, _, _ = evaluated
    saved = read_panel(panel.folder, None)
    rows = {row["agent"]: row for row in csv.DictReader(trust_csv(saved.arbiter).splitlines())}
    assert (rows["deaf"]["n"], rows["deaf"]["abstained"], rows["deaf"]["accuracy"]) == ("0", "30", "")
    assert WHY in rows["deaf"]["unused"]
    told = {one["agent"]: one for one in json.loads(trust_json(saved.arbiter))}
    assert (told["deaf"]["n"], told["gpt"]["unused"]) == (0, "")
    side = graded(saved, ())
    found = compare(side, side, ("a", "b"), draws=20)
    lines = list(not_compared(found, {"a": saved.arbiter}))
    assert len(lines) == 1
    assert lines[0].startswith("not compared: deaf; a: 0 of 30 calibration images answered (")


def test_members_are_made_of_the_arbiter_alone(evaluated):
    panel, _, _ = evaluated
    assert panel.members == panel_members(read_panel(panel.folder, None).arbiter)
