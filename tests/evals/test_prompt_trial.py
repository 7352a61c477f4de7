"""Prompts are tried on labelled images over HTTP: which is better calibrated, at what cost."""

import json

import pytest
from prompts_kit import APART, STEPS, AskedWell, settings_with
from typer.testing import CliRunner

from doubleread.cli.main import app
from doubleread.core.errors import DataError, PanelError, PromptError, UnknownPart
from doubleread.core.progress import silent
from doubleread.evals._prompt_sample import sampled
from doubleread.evals.prompt_trial import plan_trial, try_prompts
from doubleread.mock_server import running
from doubleread.panel import Panel


@pytest.fixture(scope="module")
def kept(dataset, plain, tmp_path_factory):
    """A panel with a model, one image in six held back for a test."""
    folder = tmp_path_factory.mktemp("prompts")
    cases = [c.model_copy(update={"split": "test" if i % 6 == 0 else None}) for i, c in enumerate(dataset.cases)]
    with running(otherwise=AskedWell(dataset.cases)) as mock:
        settings = settings_with(plain, mock.base_url, folder)
        with Panel.fit(cases, dataset.task, settings=settings, progress=silent) as panel:
            return panel.save(folder / "panel")


@pytest.fixture
def tried(kept, dataset, plain, tmp_path):
    """``tried(variants, …)``: the trial, and the model that was asked."""

    def trial(variants, cases=None, *, model=None, agent="gpt", budget=None, announce=lambda _: None, **choice):
        model = model or AskedWell(dataset.cases, how=STEPS)
        sections = {"budget": budget} if budget else {}
        with running(otherwise=model) as mock:
            settings = settings_with(plain, mock.base_url, tmp_path, **sections)
            with Panel.load(kept, settings=settings) as panel:
                return try_prompts(
                    panel, agent, variants, cases, progress=silent, announce=announce, **choice
                ), mock.server

    return trial


def test_a_prompt_that_makes_the_model_right_more_often_is_better(tried):
    found, server = tried(["vlm-read-checklist"])
    assert found.verdict[0] == "vlm-read-checklist@1 is better calibrated than vlm-read@1."
    assert found.best == "vlm-read-checklist@1"
    assert found.settings == ("[vlm.gpt]", 'prompt = "vlm-read-checklist@1"')
    present, other = found.prompts
    assert (present.prompt, present.difference) == ("vlm-read@1", None)
    assert present.answered == other.answered == present.asked == found.images
    assert other.difference.change == "better"
    assert other.difference.low > 0
    assert other.profile.accuracy.value == 1.0
    assert other.profile.calibrated_nll.value < present.profile.calibrated_nll.value
    assert found.calls == len(server.requests) == 2 * found.images
    assert found.cost_usd == pytest.approx(found.images * (present.usd_an_image + other.usd_an_image))


def test_prompts_that_are_alike_make_no_difference(tried, dataset):
    found, _ = tried(["vlm-read-checklist", "vlm-read-brief"], model=AskedWell(dataset.cases, alike=True))
    assert found.verdict[0].startswith(f"No difference can be shown (n={found.images}): keep vlm-read@1.")
    assert (found.best, found.settings) == ("vlm-read@1", ())
    assert {one.difference.change for one in found.prompts[1:]} == {"same"}


def test_a_worse_prompt_is_not_recommended(tried, dataset):
    found, _ = tried(["vlm-read-checklist"], model=AskedWell(dataset.cases, accuracy=1.0, how=STEPS, better=0.2))
    assert found.verdict[0] == "vlm-read@1 is better calibrated than vlm-read-checklist@1: keep it."
    assert found.prompts[1].difference.change == "worse"


def test_a_second_trial_costs_nothing(kept, dataset, plain, tmp_path):
    with running(otherwise=AskedWell(dataset.cases, how=STEPS)) as mock:
        results = []
        for _ in range(2):
            with Panel.load(kept, settings=settings_with(plain, mock.base_url, tmp_path)) as panel:
                results.append(try_prompts(panel, "gpt", ["vlm-read-checklist"], progress=silent))
        first, again = results
        assert len(mock.server.requests) == first.calls
    assert (again.calls, again.cost_usd, again.cached) == (0, 0.0, first.calls)
    assert again.verdict == first.verdict


def test_images_without_an_answer_are_counted_and_left_out_of_the_comparison(tried, dataset):
    found, _ = tried(["vlm-read-checklist"], model=AskedWell(dataset.cases, refused=STEPS))
    silent_one = found.prompts[1]
    assert (silent_one.answered, silent_one.profile) == (0, None)
    assert silent_one.unanswered == {"refusal": found.images}
    assert (found.best, silent_one.difference.n) == ("vlm-read@1", 0)
    assert "cannot be compared, since no image was answered with both" in found.verdict[1]


def test_the_second_look_is_tried_with_references_and_never_with_the_image_itself(tried, dataset):
    model = AskedWell(dataset.cases, how=APART, accuracy=0.4)
    found, server = tried(["vlm-contrast"], model=model)
    assert found.second_look
    assert found.verdict[0] == "vlm-contrast@1 is better calibrated than vlm-reconsider@1."
    assert found.settings == ("[vlm.gpt]", 'second_prompt = "vlm-contrast@1"')
    for request in server.requests:
        pictures = [p["image_url"]["url"] for m in request.body["messages"] for p in m["content"] if "image_url" in p]
        assert len(pictures) > 1
        assert pictures[-1] not in pictures[:-1]


def test_the_test_split_and_images_that_will_judge_the_panel_are_never_asked_about(kept, dataset, plain, tmp_path):
    with Panel.load(kept, settings=settings_with(plain, "http://127.0.0.1:9/v1", tmp_path)) as panel:
        tests = {case.id for case in dataset.cases if not panel.learned_from(case)}
        assert tests
        for cases in (None, dataset.cases):  # without splits, as a folder is read again
            plan = plan_trial(panel, "gpt", ["vlm-read-brief"], cases, size=1000)
            assert len(plan.sample.cases) == len(dataset.cases) - len(tests)
            assert not tests & {case.id for case in plan.sample.cases}
        new = [case for case in dataset.cases if case.id in tests]
        plan = plan_trial(panel, "gpt", ["vlm-read-brief"], new)
        assert "a prompt chosen on these images cannot be judged on them" in plan.sample.notes[-1]
        with pytest.raises(DataError, match="the data have none"):
            plan_trial(panel, "gpt", ["vlm-read-brief"], [c.model_copy(update={"split": "test"}) for c in new])


def test_the_cost_is_told_before_anything_is_asked_and_the_budget_holds(tried, dataset):
    plans = []
    found, server = tried(["vlm-read-brief"], announce=lambda plan: plans.append((plan, plan.line)))
    (plan, line), *_ = plans
    assert plan.calls == 2 * found.images == len(server.requests)
    assert 0 < found.cost_usd < plan.cost_usd
    assert line.startswith(f"up to {plan.calls} calls, about ${plan.cost_usd:.2f} at most")
    model = AskedWell(dataset.cases)
    with pytest.raises(PanelError, match=r"agent gpt cannot answer \(budget\).*the same command asks only for the oth"):
        tried(["vlm-read-checklist"], model=model, budget={"max_calls": 5})
    assert len(model.asked) == 5


def test_what_cannot_be_tried_is_refused_before_anything_is_asked(tried, dataset):
    for variants, error, words in (
        (["vlm-raed"], PromptError, "unknown prompt 'vlm-raed'"),
        (["vlm-read"], PromptError, "nothing to compare: gpt asks with vlm-read@1 already"),
        (["vlm-read-brief", "vlm-contrast"], PromptError, "vlm-contrast@1 is for the second look.*try them apart"),
        (["form-letter"], PromptError, r"has no section \[system\]"),
        (["reasoner"], PromptError, "evidence is missing"),
    ):
        model = AskedWell(dataset.cases)
        with pytest.raises(error, match=words):
            tried(variants, model=model)
        assert model.asked == []
    with pytest.raises(UnknownPart, match=r"'neighbours'; known: gpt"):
        tried(["vlm-read-brief"], agent="neighbours")


def test_a_sample_keeps_groups_whole_and_labels_in_proportion(dataset):
    cases = [case.model_copy(update={"group": f"{case.label} {i // 2}"}) for i, case in enumerate(dataset.cases)]
    found = sampled(cases, 12, 0)
    groups = {case.group for case in found.cases}
    assert len(found.cases) == 12
    assert all(case.group not in groups for case in cases if case not in found.cases)
    counts = [sum(case.label == label for case in found.cases) for label in {case.label for case in cases}]
    assert max(counts) - min(counts) <= 2
    assert sampled(cases, 12, 0).cases == found.cases
    assert sampled(cases, 12, 1).cases != found.cases
    assert len(sampled(cases, 1000, 0).cases) == len(cases)
    one = [case.model_copy(update={"group": str(case.label)}) for case in cases]
    with pytest.raises(DataError, match="two labels with images of two groups each"):
        sampled(one, 12, 0)


def test_on_the_command_line(kept, dataset, plain, tmp_path, monkeypatch):
    own = tmp_path / "own prompts"
    own.mkdir()
    head = '+++\nid = "vlm-read"\nversion = 2\npurpose = "x"\nvariables = ["about", "labels"]\n+++\n'
    text = "[system]\nWork step by step.\n[user]\n{{ about }} {% for l in labels %}{{ l.name }} {% endfor %}\n"
    (own / "mine.md").write_text(head + text)
    model = AskedWell(dataset.cases, how=STEPS)
    monkeypatch.setenv("DOUBLEREAD_ENCODER__CACHE_DIR", str(plain.cache_folder))
    runner = CliRunner()
    with running(otherwise=model) as mock:
        settings = tmp_path / "s.toml"
        settings.write_text(f'[vlm.gpt]\nmodel = "m"\nbase_url = "{mock.base_url}"\n')
        base = ["prompts", "try", str(kept), "--agent", "gpt", "--settings", str(settings), "--variants"]
        dry = runner.invoke(app, [*base, "vlm-read-brief", "--dry-run"])
        assert (dry.exit_code, model.asked) == (0, [])
        assert "calls" in dry.output
        shown = runner.invoke(app, [*base, "vlm-read@2", "--folder", str(own)], env={"COLUMNS": "120"})
        assert shown.exit_code == 0, shown.output
        for words in (
            "vlm-read@2 is better calibrated than vlm-read@1.",
            'prompt = "vlm-read@2"',
            f'folder = "{own.as_posix()}"',
            "fit the panel again",
            "paid now",
        ):
            assert words in shown.output
        told = runner.invoke(app, [*base, "vlm-read@2", "--folder", str(own), "--json"])
        found = json.loads(told.stdout)
        assert (found["best"], found["calls"]) == ("vlm-read@2", 0)
        wrong = runner.invoke(app, [*base, "vlm-read@7"])
        assert wrong.exit_code != 0
