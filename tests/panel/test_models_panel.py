"""Panels with agents that ask models, from fitting to diagnosis, against the loopback server."""

import asyncio
import json

import pytest
from kit import photo, unspaced
from models_kit import KEY

from doubleread.cli.tables import show_trust
from doubleread.core.errors import PanelError, SettingsError, UnknownPart
from doubleread.mock_server import Fault, MockReply, RawReply, running
from doubleread.mock_server.dry_run import DryRun, thumbnail
from doubleread.panel import Panel
from doubleread.panel._roll_call import PROOF
from doubleread.rag.images.case_images import Images
from doubleread.settings import load_settings

READERS = ("discriminant", "neighbours", "gpt")


@pytest.fixture
def says(dataset):
    """What a model says that is right on nearly all pictures, so that fitting keeps it."""
    images = Images()
    return DryRun(dataset.cases, [thumbnail(images.open(case)) for case in dataset.cases], accuracy=0.97)


@pytest.fixture
def settings_for(plain, tmp_path, monkeypatch):
    """Settings of a panel with the agent ``gpt`` at an address; models are the test's own."""
    monkeypatch.setenv("TEST_KEY", KEY)

    def make(base_url, agents=READERS, vlm=(), **sections):
        gpt = {
            "model": f"model of {tmp_path.name}",
            "base_url": base_url,
            "key_variable": "TEST_KEY",
            "attempts": 1,
            "attempt_timeout_s": 30.0,
            "price": {"input": 2.5, "output": 10.0},
            **dict(vlm),
        }
        flags = {
            "encoder": plain.encoder.model_dump(),
            "trust": {"folds": 2, "consistency_cases": 4, "calibrator": "temperature"},
            "fusion": {"rule": "log-pool"},
            "panel": {"agents": agents},
            "vlm": {"gpt": gpt},
            **sections,
        }
        return load_settings(None, flags)

    return make


def in_all_files(folder):
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_a_panel_with_a_model_is_fitted_saved_loaded_and_reads(says, settings_for, dataset, tmp_path):
    with running(otherwise=says) as mock:
        with Panel.fit(dataset.cases, dataset.task, settings=settings_for(mock.base_url)) as panel:
            profile = next(p for p in panel.profiles if p.agent == "gpt" and p.round == 1)
            panel.save(tmp_path / "panel")
            spent = panel.spent["gpt"]
        assert profile.n == len(dataset.cases)
        assert profile.confidence_source == "verbalized-distribution"
        assert set(profile.consistency) == {"permutation", "paraphrase"}
        assert profile.consistency["permutation"].n == 4
        assert spent.calls == len(mock.server.requests) == 2 * len(dataset.cases) + 3 * 4
        assert spent.cost_usd > 0
        new = photo(tmp_path / "new.png", 2, seed=9000)
        with Panel.load(tmp_path / "panel", settings=settings_for(mock.base_url)) as panel:
            verdict = panel.diagnose(new)
    said = next(o for o in verdict.opinions if o.agent == "gpt")
    assert said.request_id
    assert verdict.cost_usd == pytest.approx(said.usage.cost_usd)
    assert "gpt" in verdict.influence
    assert set(verdict.calibrated["gpt"]) == set(dataset.task.names)
    assert KEY.encode() not in in_all_files(tmp_path / "panel")
    head = json.loads((tmp_path / "panel" / "panel.json").read_text())
    assert {"vlm-read", "vlm-reconsider", "form-distribution"} <= set(head["provenance"]["prompts"])


def test_nothing_is_paid_twice_and_a_server_that_is_gone_degrades_the_panel(says, settings_for, dataset, tmp_path):
    with running(otherwise=says) as mock:
        with Panel.fit(dataset.cases, dataset.task, settings=settings_for(mock.base_url)) as panel:
            panel.save(tmp_path / "panel")
        asked = len(mock.server.requests)
        with Panel.fit(dataset.cases, dataset.task, settings=settings_for(mock.base_url)) as again:
            assert again.spent["gpt"].calls == 0
            assert again.spent["gpt"].cached == asked
        assert len(mock.server.requests) == asked
    with Panel.load(tmp_path / "panel", settings=settings_for("http://127.0.0.1:9/v1")) as panel:
        verdict = panel.diagnose(photo(tmp_path / "new.png", 0, seed=9001))
    [silent] = [a for a in verdict.abstentions if a.round == 1]
    assert (silent.agent, silent.cause) == ("gpt", "network")
    assert "gpt gave no answer, so the panel is incomplete" in verdict.warnings
    assert verdict.label == "blue"


@pytest.mark.parametrize(
    ("fault", "cause"), [("unauthorized", "authentication"), ("not-found", "not-found"), ("quota", "quota")]
)
def test_an_agent_that_will_never_answer_stops_fitting_at_once(settings_for, dataset, fault, cause):
    with running(otherwise=Fault(fault)) as mock, pytest.raises(PanelError, match=cause) as caught:
        Panel.fit(dataset.cases, dataset.task, settings=settings_for(mock.base_url))
    assert "agent gpt cannot answer: 0 of" in str(caught.value)
    assert "--keep-going" in str(caught.value)
    assert KEY not in str(caught.value)
    assert len(mock.server.requests) <= 20


GARBLED = MockReply(text='{"findings": "f", "probabilities": {"zebra": 1.0}, "label": "zebra"}')


@pytest.mark.parametrize(
    ("reply", "told", "calls"),
    [
        (RawReply(402, {"error": {"message": "Insufficient credits.", "code": 402}}), "(quota): HTTP 402", 20),
        (RawReply(422, {"detail": "pictures are not taken on Mondays"}), "pictures are not taken on Mondays", 20),
        (RawReply(400, {"error": "model does not support images"}), "Choose a model and a server", 20),
        (GARBLED, "(invalid-answer)", 40),
    ],
)
def test_an_agent_that_never_answers_stops_fitting_after_twenty_images(settings_for, dataset, reply, told, calls):
    assert len(dataset.cases) == 30
    with running(otherwise=reply) as mock, pytest.raises(PanelError, match="agent gpt cannot answer") as caught:
        Panel.fit(dataset.cases, dataset.task, settings=settings_for(mock.base_url))
    assert told in str(caught.value)
    assert len(mock.server.requests) <= calls


def test_keep_going_does_without_an_agent_that_never_answers(settings_for, dataset, tmp_path):
    with running(otherwise=RawReply(422, {"detail": "not on Mondays"})) as mock:
        settings = settings_for(mock.base_url)
        with Panel.fit(dataset.cases, dataset.task, settings=settings, keep_going=True) as panel:
            assert any(one.startswith("gpt is left out") for one in panel.warnings)
            panel.save(tmp_path / "panel")
        asked = len(mock.server.requests)
        assert asked <= 20
        with Panel.load(tmp_path / "panel", settings=settings) as panel:
            verdict = panel.diagnose(photo(tmp_path / "new.png", 0, seed=9001))
            assert "not on Mondays" in panel.left_out["gpt"]
        assert len(mock.server.requests) == asked
    assert verdict.label == "blue"
    assert "gpt" not in {one.agent for one in verdict.opinions}


def test_second_looks_that_always_fail_are_no_longer_asked(says, settings_for, settings, dataset, tmp_path, capsys):
    worse = {"encoder": settings.encoder.model_dump()}  # with which the others are not good enough alone

    def one_image_only(received):
        single = json.dumps(received.body).count('"image_url": {') == 1
        return says(received) if single else RawReply(400, {"error": {"message": "At most 1 image may be provided"}})

    with running(otherwise=one_image_only) as mock:
        settings = settings_for(mock.base_url, **worse)
        with Panel.fit(dataset.cases, dataset.task, settings=settings) as panel:
            panel.save(tmp_path / "panel")
            told = [one for one in panel.warnings if one.startswith("gpt takes no second look: 0 of ")]
        refused = [r for r in mock.server.requests if json.dumps(r.body).count('"image_url": {') > 1]
        assert len(told) == 1
        assert len(refused) <= PROOF < len(dataset.cases)
        asked = len(mock.server.requests)
        with Panel.load(tmp_path / "panel", settings=settings) as panel:
            (gpt,) = [one for one in panel.members if one.agent == "gpt"]
            case = panel.diagnose(photo(tmp_path / "new.png", 0, seed=9001)).case
            seats = asyncio.run(panel.seats(case))
            show_trust(panel.profiles, panel.members)
            assert "At most 1 image may be provided" in str(panel)
        assert len(mock.server.requests) <= asked + 1
    assert (gpt.n, gpt.unused) == (len(dataset.cases), "")
    assert told[0].endswith(gpt.no_second_look)
    assert not seats.roster.can_look_again("gpt")
    assert unspaced(told[0]) in unspaced(capsys.readouterr().out)


def test_a_budget_stops_fitting_and_a_larger_one_goes_on_where_it_stopped(says, settings_for, dataset):
    with running(otherwise=says) as mock:
        with pytest.raises(PanelError, match=r"budget.*10 calls are made"):
            Panel.fit(dataset.cases, dataset.task, settings=settings_for(mock.base_url, budget={"max_calls": 10}))
        assert len(mock.server.requests) == 10
        with Panel.fit(dataset.cases, dataset.task, settings=settings_for(mock.base_url)) as panel:
            assert panel.spent["gpt"].cached == 10


def test_one_agent_s_accidents_do_not_stop_fitting(says, settings_for, dataset):
    faulty = DryRun(dataset.cases, list(says._looks.reshape(-1, 16, 16, 3)), accuracy=0.8, faults={"refusal": 0.3})
    with (
        running(otherwise=faulty) as mock,
        Panel.fit(dataset.cases, dataset.task, settings=settings_for(mock.base_url)) as panel,
    ):
        profile = next(p for p in panel.profiles if p.agent == "gpt" and p.round == 1)
    assert 0 < profile.abstained < len(dataset.cases)
    assert profile.n + profile.abstained == len(dataset.cases)


def test_trust_in_one_prompt_is_not_trust_in_another(says, settings_for, dataset, tmp_path):
    own = tmp_path / "prompts"
    own.mkdir()
    text = (
        '+++\nid = "mine"\nversion = 1\npurpose = "x"\nvariables = ["labels", "about"]\n+++\n[system]\nLook.\n[user]\n'
    )
    (own / "mine.md").write_text(text + "{{ about }} {% for l in labels %}{{ l.name }} {% endfor %}\n")
    chosen = {"vlm": {"prompt": "mine"}, "prompts": {"folder": str(own)}}
    with running(otherwise=says) as mock:
        settings = settings_for(mock.base_url, **chosen)
        with Panel.fit(dataset.cases, dataset.task, settings=settings) as panel:
            panel.save(tmp_path / "panel")
        Panel.load(tmp_path / "panel", settings=settings).close()
        (own / "mine.md").write_text(text + "Which? {{ about }} {% for l in labels %}{{ l.name }} {% endfor %}\n")
        with pytest.raises(PanelError, match=r"prompts have changed since the panel was fitted.*mine"):
            Panel.load(tmp_path / "panel", settings=settings)


def test_a_recording_replays_as_a_panel_without_any_server(says, settings_for, settings, dataset, tmp_path):
    record = tmp_path / "answers.jsonl"
    worse = {"encoder": settings.encoder.model_dump()}  # with which the others are not good enough alone
    with running(otherwise=says) as mock:
        settings = settings_for(mock.base_url, run={"record": str(record)}, **worse)
        with Panel.fit(dataset.cases, dataset.task, settings=settings) as panel:
            paid = {(p.agent, p.round): p.accuracy.value for p in panel.profiles}
    replayed = settings_for("http://127.0.0.1:9/v1", ("discriminant", "neighbours", "old"), **worse)
    old = {"old": {"file": str(record), "agent": "gpt"}}
    replayed = load_settings(None, {**replayed.model_dump(), "recorded": old})
    with Panel.fit(dataset.cases, dataset.task, settings=replayed) as panel:
        again = {(p.agent.replace("old", "gpt"), p.round): p.accuracy.value for p in panel.profiles}
        verdict = panel.diagnose(photo(tmp_path / "new.png", 1, seed=9002))
    assert again == paid
    assert [(a.agent, a.cause) for a in verdict.abstentions if a.round == 1] == [("old", "not-recorded")]


def test_a_referee_that_does_not_help_is_left_out_and_not_asked_again(says, settings_for, dataset, tmp_path):
    with running(otherwise=says) as mock:
        judge = {"judge": {"model": f"judge of {tmp_path.name}", "base_url": mock.base_url}}
        settings = settings_for(mock.base_url, (*READERS, "judge"), reasoner=judge)
        with Panel.fit(dataset.cases, dataset.task, settings=settings) as panel:
            assert any("referee judge left out" in note for note in panel.notes)
            asked = len(mock.server.requests)
            verdict = panel.diagnose(photo(tmp_path / "new.png", 1, seed=9003))
        words_only = [r for r in mock.server.requests if "image_url" not in json.dumps(r.body)]
        assert len(words_only) >= len(dataset.cases)
        assert all("image_url" in json.dumps(r.body) for r in mock.server.requests[asked:])
    assert "judge" not in {o.agent for o in verdict.opinions}


def test_names_and_tables_are_checked_before_anything_is_asked(settings_for, dataset):
    with pytest.raises(UnknownPart, match=r"unknown agent 'gtp'; known: .*gpt"):
        Panel.fit(dataset.cases, dataset.task, settings=settings_for("http://localhost:1/v1", ("gtp",)))
    twice = settings_for("http://localhost:1/v1", reasoner={"gpt": {"model": "m"}})
    with pytest.raises(PanelError, match="several agents go by one name"):
        Panel.fit(dataset.cases, dataset.task, settings=twice)
    alone = settings_for("http://localhost:1/v1", ("judge",), reasoner={"judge": {"model": "m"}})
    with pytest.raises(PanelError, match="only referees"):
        Panel.fit(dataset.cases, dataset.task, settings=alone)
    with pytest.raises(SettingsError, match=r"vlm\.gpt\.modle: unknown key; known: model, base_url"):
        settings_for("http://localhost:1/v1", vlm={"modle": "x"})
    with pytest.raises(SettingsError, match=r"base_url.*no user, password or query"):
        settings_for("http://me:secret@localhost:1/v1")
