"""Answers are written down, read back, and replayed; tables from elsewhere too."""

import csv
import json
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kit import TASK, case_of, evidence_for, opinion

from doubleread.agents.recorded.book import read_book
from doubleread.agents.recorded.columns import AnswerColumns
from doubleread.agents.recorded.recorder import Recorder, replay
from doubleread.core.agent_ports import Agent, Reconsiders
from doubleread.core.errors import DataError
from doubleread.core.opinion import Abstention, Opinion, Usage

LEAF, OTHER = case_of("leaf.jpg", label="rust"), case_of("other.jpg")
SAID = opinion("gpt", 0.1, 0.7, 0.2).model_copy(
    update={"reason": 'orange, "ringed" spots', "usage": Usage(cost_usd=0.002), "seconds": 1.25, "model": "m-1"}
)
AGAIN = opinion("gpt", 0.05, 0.9, 0.05, round=2)
BARE = Opinion(agent="qwen", label="scab", confidence=0.95, confidence_source="verbalized")
NOTHING = Abstention(agent="qwen", cause="timeout", detail="no answer within 60 s")


def record(path, *answers, case=LEAF):
    with Recorder(path) as recorder:
        for answer in answers:
            recorder(case, answer)
    return path


def table(path, *rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
async def test_what_was_said_is_said_again(tmp_path, suffix):
    book = read_book(record(tmp_path / f"a.{suffix}", SAID, AGAIN, BARE))
    agent = replay("gpt", book)
    first, second = await agent.read(LEAF), await agent.reconsider(LEAF, evidence_for("scab"))
    assert first.cached
    kept = ("agent", "label", "confidence", "probabilities", "confidence_source", "reason", "seconds", "model", "round")
    for replayed, said in ((first, SAID), (second, AGAIN)):
        assert {name: getattr(replayed, name) for name in kept} == {name: getattr(said, name) for name in kept}
    assert first.usage.cost_usd == 0.002
    assert [name for name, _, _ in book.answers] == ["gpt", "gpt", "qwen"]
    again = await replay("qwen", book).read(LEAF)
    assert (again.label, again.confidence, again.probabilities) == ("scab", 0.95, {})


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
async def test_an_abstention_stays_one_and_a_case_that_is_not_there_is_one(tmp_path, suffix):
    agent = replay("second-reader", read_book(record(tmp_path / f"a.{suffix}", NOTHING)), "qwen")
    said = await agent.read(LEAF)
    assert isinstance(said, Abstention)
    assert (said.agent, said.cause, said.detail) == ("second-reader", "timeout", NOTHING.detail)
    missing = await agent.read(OTHER)
    assert missing.cause == "not-recorded"
    assert isinstance(agent, Agent)
    assert not isinstance(agent, Reconsiders)


def test_going_on_adds_only_what_is_new_and_cuts_off_half_a_line(tmp_path):
    path = record(tmp_path / "a.jsonl", SAID)
    with path.open("ab") as file:
        file.write(b'{"case": "abc", "ans')
    record(path, SAID, AGAIN)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["answer"]["agent"], row["answer"]["round"]) for row in rows] == [("gpt", 1), ("gpt", 2)]
    assert rows[0]["label"] == "rust"


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_many_threads_write_whole_lines(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    with Recorder(path) as recorder:
        threads = [
            threading.Thread(target=lambda i=i: [recorder(case_of(f"{i}-{j}"), SAID) for j in range(20)])
            for i in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    book = read_book(path)
    assert len(book.answers) == 160
    assert book.problems == ()


def test_a_recording_goes_into_no_other_file(tmp_path):
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="it is no recording"):
        Recorder(tmp_path / "notes.csv")
    with pytest.raises(DataError, match=r"name a \.jsonl or a \.csv file"):
        Recorder(tmp_path / "answers.txt")


def test_verdicts_are_a_recording_too(tmp_path):
    verdict = {"case": {"id": LEAF.id}, "opinions": [SAID.model_dump(mode="json")], "abstentions": []}
    (tmp_path / "v.jsonl").write_text(json.dumps(verdict) + "\n")
    assert read_book(tmp_path / "v.jsonl").find(LEAF, "gpt", 1) == SAID


async def test_a_table_from_elsewhere_by_its_columns(tmp_path):
    path = table(
        tmp_path / "foreign.csv",
        {"file": "leaf.jpg", "diagnosis": "rust", "sure": "85", "why": "spots", "later": "scab", "later_sure": "60"},
        {"file": "other.jpg", "diagnosis": "", "sure": "", "why": "", "later": "", "later_sure": ""},
    )
    second = AnswerColumns(key="file", label="later", confidence="later_sure", scale=0.01)
    columns = AnswerColumns(key="file", label="diagnosis", confidence="sure", scale=0.01, reason="why", second=second)
    agent = replay("clinic", read_book(path, columns, agent="clinic", task=TASK))
    first, later = await agent.read(LEAF), await agent.reconsider(LEAF, evidence_for("rust"))
    assert (first.label, first.confidence, first.reason, first.confidence_source) == ("rust", 0.85, "spots", "recorded")
    assert (later.label, later.confidence, later.round) == ("scab", 0.6, 2)
    assert (await agent.read(OTHER)).cause == "not-recorded"


IN_ONE = {"probabilities": "p"}


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"p": '{"rust": 0.7, "scab": 0.3}'}, IN_ONE),
        (
            {"p": '[{"category": "rust", "confidence": 0.7}, {"label": "scab", "probability": 0.3}]'},
            {"probabilities": "p"},
        ),
        ({"p_rust": "0.7", "p_scab": "0.3", "p_healthy": ""}, {"prefix": "p_"}),
        ({"p_rust": "70", "p_scab": "30", "p_healthy": "0"}, {"prefix": "p_", "scale": 0.01}),
    ],
)
def test_a_distribution_may_stand_in_one_column_or_in_many(tmp_path, row, columns):
    path = table(tmp_path / "t.csv", {"id": "leaf", **row})
    book = read_book(path, AnswerColumns(key="id", key_is="stem", **columns), agent="a", task=TASK)
    assert book.find(LEAF, "a", 1).probabilities == pytest.approx({"healthy": 0.0, "rust": 0.7, "scab": 0.3})


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"label": "zebra", "sure": "0.5"}, "label 'zebra' is none of healthy, rust, scab"),
        ({"label": "rust", "sure": "85"}, "`scale = 0.01` divides percentages"),
        ({"label": "rust", "sure": "nan"}, "sure is nan"),
        ({"label": "rust", "sure": ""}, "without a confidence"),
        ({"label": "rust", "sure": "high"}, "could not convert"),
    ],
)
def test_rows_that_cannot_be_used_are_told_and_the_others_go_on(tmp_path, row, fault):
    good = {"file": "leaf.jpg", "label": "rust", "sure": "0.5"}
    path = table(tmp_path / "t.csv", good, {"file": "other.jpg", **row})
    book = read_book(path, AnswerColumns(key="file", label="label", confidence="sure"), agent="a", task=TASK)
    assert len(book.answers) == 1
    [problem] = book.problems
    assert problem.startswith("t.csv:3: ")
    assert fault in problem


def test_a_table_without_a_usable_row_or_column_is_an_error(tmp_path):
    path = table(tmp_path / "t.csv", {"file": "leaf.jpg", "label": "zebra", "sure": "0.5"})
    with pytest.raises(DataError, match=r"holds no answer that can be used.*zebra"):
        read_book(path, AnswerColumns(key="file", label="label", confidence="sure"), agent="a", task=TASK)
    with pytest.raises(DataError, match="there is no column 'name'"):
        read_book(path, AnswerColumns(key="name", label="label", confidence="sure"), agent="a", task=TASK)
    with pytest.raises(DataError, match="is missing"):
        read_book(tmp_path / "none.csv")
    (tmp_path / "bad.jsonl").write_text("{}\nnot json\n")
    with pytest.raises(DataError, match=r"bad\.jsonl:2: the line is not JSON"):
        read_book(tmp_path / "bad.jsonl")


def test_whose_answers_are_replayed_must_be_clear(tmp_path):
    book = read_book(record(tmp_path / "a.jsonl", SAID, BARE))
    with pytest.raises(DataError, match="no answers of 'claude' are recorded; there are some of gpt, qwen"):
        replay("claude", book)
    alone = read_book(record(tmp_path / "b.jsonl", SAID))
    assert replay("any-name", alone).name == "any-name"


@given(
    shares=st.lists(st.floats(0.001, 1), min_size=3, max_size=3),
    reason=st.text(),
    suffix=st.sampled_from(["jsonl", "csv"]),
)
@example(shares=[1.0, 1.0, 1.0], reason="a\0b", suffix="csv")
def test_no_digit_is_lost_on_the_way(tmp_path_factory, shares, reason, suffix):
    said = opinion("gpt", *shares).model_copy(update={"reason": reason})
    path = record(tmp_path_factory.mktemp("r") / f"a.{suffix}", said)
    found = read_book(path).find(LEAF, "gpt", 1)
    assert found.probabilities == said.probabilities
    assert found.reason == (reason if suffix == "jsonl" else " ".join(reason.replace("\0", " ").splitlines()))
