"""Fitting chooses the prompt of the second look among those that the settings name, by held-out log-loss."""

import json

import pytest
from prompts_kit import APART, AskedWell, settings_with

from doubleread.core.errors import PromptError, SettingsError
from doubleread.core.progress import silent
from doubleread.mock_server import running
from doubleread.panel import Panel

BOTH = {"second_alternatives": ["vlm-contrast"]}


def fitted(dataset, plain, folder, model, vlm=BOTH, **sections):
    """What the saved panel says of itself, and the requests of fitting."""
    with running(otherwise=model) as mock:
        settings = settings_with(plain, mock.base_url, folder, vlm=vlm, **sections)
        with Panel.fit(dataset.cases, dataset.task, settings=settings, progress=silent) as panel:
            panel.save(folder / "panel")
            notes, second = panel.notes, panel.reader("gpt").prompt_of(2).name
        with Panel.load(folder / "panel", settings=settings) as panel:
            assert panel.reader("gpt").prompt_of(2).name == second
            rows = panel.calibration_readings()
        return second, [note for note in notes if note.startswith("second look: gpt")], rows, mock.server.requests


def test_a_prompt_that_is_clearly_better_replaces_the_present_one(dataset, plain, tmp_path):
    record = tmp_path / "answers.jsonl"
    model = AskedWell(dataset.cases, how=APART, accuracy=0.4)
    second, notes, rows, requests = fitted(dataset, plain, tmp_path, model, run={"record": str(record)})
    assert second == "vlm-contrast@1"
    assert notes[0].startswith("second look: gpt uses vlm-contrast@1 (how much lower the log-loss is than with vlm-rec")
    assert len(requests) == 3 * len(dataset.cases)
    answers = [next(one for one in row.second if one.agent == "gpt") for row in rows]
    assert all(answer.label == row.label for answer, row in zip(answers, rows, strict=True))
    told = [json.loads(line)["answer"] for line in record.read_text().splitlines()]
    seconds = [one["prompt"] for one in told if one["agent"] == "gpt" and one["round"] == 2]
    assert len(seconds) == len(dataset.cases)
    assert all(prompt.startswith("vlm-contrast@1#") for prompt in seconds)


@pytest.mark.parametrize(
    "model", [{"alike": True, "accuracy": 0.7}, {"how": APART, "better": 0.3, "accuracy": 0.9}, {"refused": APART}]
)
def test_without_a_clear_gain_the_present_prompt_stays(dataset, plain, tmp_path, model):
    second, notes, rows, _ = fitted(dataset, plain, tmp_path, AskedWell(dataset.cases, **model))
    assert second == "vlm-reconsider@1"
    assert "gpt keeps vlm-reconsider@1, since no other is clearly better" in notes[0]
    assert all(any(one.agent == "gpt" for one in row.second) for row in rows)


def test_one_prompt_is_asked_for_unless_the_settings_name_more(dataset, plain, tmp_path):
    model = AskedWell(dataset.cases, how=APART)
    second, notes, _, requests = fitted(dataset, plain, tmp_path, model, vlm={})
    assert (second, notes) == ("vlm-reconsider@1", [])
    assert len(requests) == 2 * len(dataset.cases)
    assert not any(APART in text for text in model.asked)


def test_without_a_second_look_nothing_is_chosen(dataset, plain, tmp_path):
    model = AskedWell(dataset.cases, how=APART)
    second, notes, _, requests = fitted(dataset, plain, tmp_path, model, second_look={"max_rounds": 1})
    assert (second, notes, len(requests)) == ("vlm-reconsider@1", [], len(dataset.cases))


@pytest.mark.parametrize(
    ("named", "error", "words"),
    [
        (["vlm-contrats"], PromptError, "unknown prompt 'vlm-contrats'"),
        (["vlm-read"], SettingsError, "vlm-read@1 shows no reference images"),
        (["vlm-reconsider@1"], SettingsError, "vlm-reconsider@1 is named twice"),
    ],
)
def test_a_wrong_name_is_an_error_before_anything_is_asked(dataset, plain, tmp_path, named, error, words):
    model = AskedWell(dataset.cases)
    with pytest.raises(error, match=words):
        fitted(dataset, plain, tmp_path, model, vlm={"second_alternatives": named})
    assert model.asked == []
