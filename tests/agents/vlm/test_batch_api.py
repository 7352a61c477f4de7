"""Files for the Batch API and for fine-tuning: written, read back, and used."""

import json

import pytest
from kit import case_of, photo_folder, unspaced
from models_kit import vlm, wire
from typer.testing import CliRunner

from doubleread.agents.recorded.book import read_book
from doubleread.agents.recorded.recorder import replay
from doubleread.agents.vlm.batch_api import BatchLine, read_results, request_lines, training_line, write_requests
from doubleread.agents.vlm.vlm_options import VlmOptions
from doubleread.agents.wire.prices import TokenPrice
from doubleread.cli.main import app
from doubleread.core.errors import DataError
from doubleread.core.opinion import Abstention
from doubleread.evals.datasets import read_dataset
from doubleread.mock_server.mock_reply import MockReply, chat_body, error_body

CASES = {case.id: case for case in (case_of("a", label="rust"), case_of("b", label="scab"), case_of("c"))}
GOOD = '{"findings": "f", "probabilities": {"healthy": 0.1, "rust": 0.7, "scab": 0.2}, "label": "rust"}'


@pytest.fixture
def agent():
    with wire() as line:
        yield vlm("http://localhost:1/v1", line)


def result(case, body, status=200):
    response = {"status_code": status, "request_id": "req-9", "body": body}
    return json.dumps({"id": "x", "custom_id": case.id, "response": response, "error": None})


async def collected(lines):
    return [line async for line in lines]


async def test_each_case_is_one_request_that_is_joined_by_its_id(agent, tmp_path):
    lines = await collected(request_lines(agent, [*CASES.values(), case_of("broken")]))
    rows = [json.loads(line.text) for line in lines if line.text]
    assert [row["custom_id"] for row in rows] == list(CASES)
    assert {(row["method"], row["url"]) for row in rows} == {("POST", "/v1/chat/completions")}
    assert rows[0]["body"]["response_format"]["type"] == "json_schema"
    assert lines[-1].problem == "the file ends too early"


async def test_results_in_any_order_become_answers(agent, tmp_path):
    a, b, c = CASES.values()
    refused = chat_body(MockReply(refusal="I can't help with that."))
    rows = [
        result(c, error_body("overloaded"), 500),
        result(a, chat_body(MockReply(text=GOOD, input_tokens=1000, output_tokens=100))),
        result(b, refused),
    ]
    (tmp_path / "results.jsonl").write_text("\n".join(rows))
    results = read_results(agent, tmp_path / "results.jsonl", CASES, TokenPrice(input=10, output=100))
    found = {case.id: answer for case, answer in results}
    assert found[a.id].label == "rust"
    assert found[a.id].request_id == "req-9"
    assert found[a.id].usage.cost_usd == pytest.approx(0.5 * 0.02)
    silent = [found[x.id] for x in (b, c)]
    assert [(type(one), one.cause) for one in silent] == [(Abstention, "refusal"), (Abstention, "server")]


async def test_results_about_other_images_are_refused(agent, tmp_path):
    (tmp_path / "results.jsonl").write_text(result(case_of("stranger"), {}))
    with pytest.raises(DataError, match="not in the data"):
        list(read_results(agent, tmp_path / "results.jsonl", CASES, None))
    (tmp_path / "bad.jsonl").write_text("nonsense")
    with pytest.raises(DataError, match="cannot be read as batch results"):
        list(read_results(agent, tmp_path / "bad.jsonl", CASES, None))


async def test_lines_that_are_no_results_are_told_by_number_and_stop_nothing(agent, tmp_path):
    a, b, c = CASES.values()
    good = result(a, chat_body(MockReply(text=GOOD)))
    odd = [
        result(b, chat_body(MockReply(text=GOOD)), status="²"),
        json.dumps({"custom_id": c.id, "response": [1], "error": "none"}),
        json.dumps({"custom_id": c.id, "response": {"status_code": 200, "request_id": {}, "body": [1]}}),
    ]
    bad = ["nonsense", "[1, 2]", '{"custom_id": 1}', "[" * 100_000, '{"custom_id": "' + a.id]
    (tmp_path / "results.jsonl").write_bytes("\n".join([bad[0], good, *odd, *bad[1:], ""]).encode() + b"\xff\n")
    told = []
    found = list(read_results(agent, tmp_path / "results.jsonl", CASES, None, lambda *line: told.append(line)))
    assert [case.id for case, _ in found] == [a.id, b.id, c.id, c.id]
    assert [answer.cause for _, answer in found[1:]] == ["server"] * 3
    assert [number for number, _ in told] == [1, 6, 7, 8, 9, 10]


async def test_results_whose_usage_cannot_be_cost_what_nobody_knows(agent, tmp_path):
    [a, *_] = CASES.values()
    body = {**chat_body(MockReply(text=GOOD)), "usage": {"prompt_tokens": -1, "completion_tokens": 1}}
    (tmp_path / "results.jsonl").write_text(result(a, body))
    [(_, answer)] = read_results(agent, tmp_path / "results.jsonl", CASES, TokenPrice(input=10, output=100))
    assert (answer.label, answer.usage.cost_usd) == ("rust", None)


async def test_too_many_requests_go_on_in_a_second_file(tmp_path):
    async def lines():
        for i in range(5):
            yield BatchLine(case_of(str(i)), f"{i}\n")

    files = await write_requests(lines(), tmp_path / "r.jsonl", most_lines=2)
    assert [file.name for file in files] == ["r.jsonl", "r-2.jsonl", "r-3.jsonl"]
    assert "".join(file.read_text() for file in files) == "0\n1\n2\n3\n4\n"


async def test_readings_of_several_calls_fit_into_no_batch():
    with wire() as line, pytest.raises(DataError, match="several calls"):
        await collected(request_lines(vlm("http://localhost:1/v1", line, confidence="consistency"), CASES.values()))


async def test_an_example_teaches_the_letter_of_the_true_label_and_nothing_more(agent):
    letters = set()
    for name in "abcdefgh":
        case = case_of(name, label="rust")
        line = json.loads(await training_line(case, VlmOptions(model="m"), agent._context))
        roles = [message["role"] for message in line["messages"]]
        assert roles == ["system", "user", "assistant"]
        letter = line["messages"][-1]["content"]
        assert f"\n{letter}: rust\n" in line["messages"][1]["content"][-1]["text"]
        assert [part["type"] for part in line["messages"][1]["content"]] == ["text", "image_url", "text"]
        letters.add(letter)
    assert len(letters) > 1  # no label has a letter of its own


def test_from_the_command_line_and_back_into_a_panel(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo_folder(tmp_path / "photos", 3)
    cache = tmp_path / "cache"
    (tmp_path / "s.toml").write_text(f'[vlm.gpt]\nmodel = "gpt-4o"\n[encoder]\ncache_dir = "{cache}"\n')
    runner = CliRunner()
    wrote = runner.invoke(app, ["batch", "write", "photos", "--agent", "gpt", "--settings", "s.toml"])
    assert wrote.exit_code == 0, wrote.output
    requests = [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text().splitlines()]
    assert len(requests) == 9
    answer = '{"findings": "f", "probabilities": {"blue": 0.1, "green": 0.2, "red": 0.7}, "label": "red"}'
    cases = {case.id: case for case in read_dataset("photos").cases}
    results = [result(cases[row["custom_id"]], chat_body(MockReply(text=answer))) for row in reversed(requests)]
    (tmp_path / "results.jsonl").write_text("\n".join(results[:8]))
    words = ["batch", "read", "results.jsonl", "photos", "--agent", "gpt", "--settings", "s.toml", "-o", "a.jsonl"]
    read = runner.invoke(app, words)
    assert read.exit_code == 0, read.output
    assert "8 answers, 0 abstentions, 1 images without a result" in read.output
    assert replay("gpt", read_book(tmp_path / "a.jsonl")).name == "gpt"
    tuned = runner.invoke(app, ["fine-tune", "photos", "--agent", "gpt", "--settings", "s.toml"])
    assert tuned.exit_code == 0, tuned.output
    assert 'confidence = "logprobs"' in tuned.output
    examples = (tmp_path / "training.jsonl").read_text().splitlines()
    splits = read_dataset("training-splits.csv")
    assert {case.id for case in splits.cases} == set(cases)
    assert len(examples) == len(splits.part("support")) < 9  # images for the test are not in it
    assert len(splits.part("test")) == 3
    assert unspaced("doubleread fit training-splits.csv") in unspaced(tuned.output)
