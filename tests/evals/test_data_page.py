"""The pages on data and JSON name every split and every field that there is."""

import re
from pathlib import Path

import pytest

from doubleread.core.verdict import LEANINGS, Unread, Verdict
from doubleread.evals.datasets.label_names import SPLIT_NAMES
from doubleread.evals.datasets.task_file import TaskFile

DOCS = Path(__file__).parents[2] / "docs"


def in_code(page):
    return set(re.findall(r"`([\w-]+)`", (DOCS / page).read_text(encoding="utf-8")))


def test_the_json_page_names_every_field_of_a_line():
    assert set(Verdict.model_fields) - LEANINGS <= in_code("json.md")
    assert set(Unread.model_fields) <= in_code("json.md")


def test_the_data_page_names_every_split():
    assert SPLIT_NAMES.keys() <= in_code("data.md")


@pytest.mark.parametrize("name", sorted(set(TaskFile.model_fields) - {"id"}))
def test_the_data_page_names_every_part_of_a_task_file(name):
    assert name in (DOCS / "data.md").read_text(encoding="utf-8")
