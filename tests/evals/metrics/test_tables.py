"""A run as a table, and as a page of Markdown."""

import csv
import importlib.util

import pytest
from measures_kit import columns_of, of_case, rows_of, simulated, unread
from verdicts_kit import AB, verdict

from doubleread.core.errors import StoreError
from doubleread.core.task import Task
from doubleread.evals.metrics.calculation import evaluate
from doubleread.evals.metrics.case_tables import CaseTable
from doubleread.evals.metrics.gates import check, gate
from doubleread.evals.metrics.markdown_report import markdown

VERDICTS = [
    of_case(verdict("1.png", "a", 0.9, agent=0.8, sure=True), metadata={"site": "north"}, split="test", group="g"),
    verdict("2.png", "a", 0.2, agent=0.4, then=0.7, commit=False),
    verdict("3.png", None, 0.6),
    verdict("4.png", "b", 0.6).model_copy(update={"posterior": {}, "prediction_set": ()}),
]
TABLE = CaseTable(AB, ["x"], ["site"])


def written(tmp_path, rows, table=TABLE):
    file = tmp_path / "cases.csv"
    table.write_csv(file, iter(rows))
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_one_flat_row_a_case(tmp_path):
    rows = written(tmp_path, [*rows_of(VERDICTS), unread(4)])
    assert len(rows) == 5
    assert list(rows[0]) == list(TABLE.columns)
    first = rows[0]
    assert {name: first[name] for name in first if not name.startswith(("id", "reason"))} == {
        "index": "0",
        "source": "1.png",
        "group": "g",
        "subject": "",
        "split": "test",
        "label": "a",
        "said": "a",
        "confidence": "0.9",
        "right": "true",
        "action": "commit",
        "committed": "a",
        "set": "a",
        "set_size": "1",
        "second_look": "false",
        "alarm": "false",
        "leaked": "false",
        "seconds": "0.5",
        "cost_usd": "0.0",
        "problem": "",
        "p:a": "0.9",
        "p:b": repr(1 - 0.9),
        "agent:x:label": "a",
        "agent:x:confidence": "0.9",
        "agent:x:influence": "1.0",
        "agent:x:no_answer": "",
        "meta:site": "north",
    }
    looked = rows[1]
    assert (looked["right"], looked["action"], looked["committed"], looked["set"]) == ("false", "refer", "", "a|b")
    assert (looked["second_look"], looked["agent:x:label"], looked["agent:x:confidence"]) == ("true", "a", "0.2")
    assert (rows[2]["right"], rows[2]["label"], rows[2]["agent:x:label"]) == ("", "", "")
    assert rows[2]["agent:x:no_answer"] == "timeout"
    assert (rows[3]["said"], rows[3]["confidence"], rows[3]["right"], rows[3]["p:a"]) == ("", "", "false", "")
    assert (rows[4]["action"], rows[4]["problem"], rows[4]["said"]) == ("unread", "corrupt: cut short", "")


def test_rows_are_written_as_they_come(tmp_path):
    file = tmp_path / "cases.csv"

    def stream():
        for i, row in enumerate(rows_of(simulated(2000))):
            if i == 1999:
                assert sum(one.stat().st_size for one in tmp_path.iterdir()) > 100_000
            yield row

    TABLE.write_csv(file, stream())
    assert file.read_text(encoding="utf-8").count("\n") == 2001


EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =cmd|'/c calc'!A1", "＝1+1", "\n=1"]


@pytest.mark.parametrize("text", EVIL)
def test_no_cell_is_a_formula(tmp_path, text):
    task = Task.of("ab", ["a", text])
    evil = of_case(VERDICTS[0], source=text, group=text, metadata={"site": text, text: text})
    evil = evil.model_copy(
        update={
            "prediction_set": (text, "a"),
            "decision": evil.decision.model_copy(update={"reasons": (text,)}),
            "posterior": {"a": 0.1, text: 0.9},
        }
    )
    file = tmp_path / "cases.csv"
    CaseTable(task, [text, "x"], [text, "site"]).write_csv(file, iter(rows_of([evil])))
    with file.open(encoding="utf-8", newline="") as lines:
        head, row = csv.reader(lines)
    risky = [cell for cell in (*head, *row) if cell.strip()[:1] in tuple("=+-@＝") and cell.strip()[:1]]
    assert risky == []
    assert row[head.index("source")] == f"'{text}"


def test_words_and_numbers_are_not_touched(tmp_path):
    plain = of_case(VERDICTS[0], source='it\'s 5 - 3, "quoted"', metadata={"site": "a=b"})
    cheap = plain.model_copy(update={"cost_usd": -0.5})
    (row,) = written(tmp_path, rows_of([cheap]))
    assert (row["source"], row["meta:site"], row["cost_usd"]) == ('it\'s 5 - 3, "quoted"', "a=b", "-0.5")


def test_parquet_says_what_it_needs_or_has_types(tmp_path):
    file = tmp_path / "cases.parquet"
    if importlib.util.find_spec("pyarrow") is None:
        with pytest.raises(StoreError, match="pip install pyarrow"):
            TABLE.write_parquet(file, iter(rows_of(VERDICTS)))
        return
    import pyarrow.parquet as pq

    TABLE.write_parquet(file, iter([*rows_of(VERDICTS * 400), unread(9)]))
    found = pq.read_table(file)
    assert found.schema.names == list(TABLE.columns)
    first, last = found.to_pylist()[0], found.to_pylist()[-1]
    assert (found.num_rows, first["p:a"], first["right"], first["set_size"]) == (1601, 0.9, True, 1)
    assert (last["action"], last["said"]) == ("unread", None)


def evaluated(verdicts, by=()):
    return evaluate(columns_of(verdicts, by=by), name="leaves", draws=100)


def test_the_page_of_markdown_says_the_main_things():
    sites = [of_case(v, metadata={"site": "north" if i < 12 else "south"}) for i, v in enumerate(simulated(40))]
    found = evaluated(sites, by=["site"])
    results = check(found, [gate("accuracy", "at least", 0.2), gate("ece", "at most", 0)])
    lines = markdown(found, results).splitlines()
    assert lines[0] == "## leaves: ab"
    assert lines[2].startswith("The panel was right on ")
    assert lines[-1].startswith("Words: agent, ")
    assert any(line.startswith("| ✅ | accuracy ") for line in lines)
    assert any(line.startswith("| ❌ | ece ") for line in lines)
    p = found.panel
    low, high = p.accuracy.low * 100, p.accuracy.high * 100
    assert f"| accuracy | {p.accuracy.value * 100:.1f} % | {low:.1f} to {high:.1f} |" in lines
    hit, miss = p.confusion[0]
    assert f"| **a** | **{hit}** | {miss} |" in lines
    worst = min(found.subgroups, key=lambda one: one.accuracy.value)
    assert any(line.startswith(f"| site = {worst.value} | {worst.n} |") for line in lines)


def test_every_table_has_as_many_cells_in_each_row():
    evil = Task.of("a|b", ["<img>", "a | [b](http://c) `d`"])
    said = simulated(30)
    names = dict(zip(("a", "b"), evil.names, strict=True))
    renamed = [
        of_case(v, label=names[v.case.label], metadata={"site": "x|y"}).model_copy(
            update={
                "case": v.case.model_copy(update={"label": names[v.case.label], "metadata": {"site": "x|y"}}),
                "posterior": {names[k]: p for k, p in v.posterior.items()},
                "opinions": (),
                "calibrated": {},
                "decision": v.decision.model_copy(update={"label": names[v.decision.label]}),
            }
        )
        for v in said
    ]
    text = markdown(evaluate(columns_of(renamed, task=evil, by=["site"]), name="a\n# b", draws=50))
    assert "<img>" not in text
    assert "\n# b" not in text
    for block in text.split("\n\n"):
        rows = [line.replace("\\|", "") for line in block.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1, block


def test_many_labels_are_a_list_of_confusions():
    task = Task.of("many", [f"l{i:02}" for i in range(14)])
    base = VERDICTS[0].model_copy(update={"opinions": (), "calibrated": {}, "prediction_set": ()})
    posterior = dict.fromkeys(task.names, 0.02) | {"l03": 0.74}
    wrong = [
        of_case(verdict(str(i), None, 0.9), label="l05" if i < 3 else "l07").model_copy(
            update={k: getattr(base, k) for k in ("opinions", "calibrated", "prediction_set")}
            | {"posterior": posterior, "decision": base.decision.model_copy(update={"label": "l03"})}
        )
        for i in range(4)
    ]
    text = markdown(evaluate(columns_of(wrong, task=task), name="many", draws=20))
    assert "| true label | answer | cases |\n| :-- | :-- | --: |\n| l05 | l03 | 3 |\n| l07 | l03 | 1 |" in text


def test_without_labels_the_page_says_what_it_can():
    text = markdown(evaluated([verdict(str(i), None, 0.9) for i in range(3)]))
    assert "accuracy" not in text.replace("accuracy without", "")
    assert "| committed (3; 0 referred) | 100.0 %" in text
