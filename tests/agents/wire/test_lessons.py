"""What was learned about servers: kept once it worked, dropped when it fails, and told apart by server and model."""

import pytest

from doubleread.agents.wire.answers import AnswerCache


@pytest.fixture
def file(tmp_path):
    return tmp_path / "answers.sqlite"


@pytest.fixture
def lessons(file):
    cache = AnswerCache(file)
    yield cache.lessons
    cache.close()


def elsewhere(file, place):
    """What another process knows."""
    other = AnswerCache(file)
    try:
        return other.lessons.known(place)
    finally:
        other.close()


def test_what_is_only_tried_is_known_to_this_process_alone(lessons, file):
    lessons.try_without("http://a m", {"temperature"})
    assert lessons.known("http://a m") == {"temperature"}
    assert lessons.stored("http://a m") == frozenset()
    assert elsewhere(file, "http://a m") == frozenset()


def test_what_worked_is_kept_for_that_server_and_model(lessons, file):
    lessons.worked("http://a m", {"temperature", "json_schema"})
    assert elsewhere(file, "http://a m") == {"temperature", "json_schema"}
    assert lessons.known("http://b m") == lessons.known("http://a n") == frozenset()
    assert [(one.server, one.model, one.feature) for one in lessons.all()] == [
        ("http://a", "m", "json_schema"),
        ("http://a", "m", "temperature"),
    ]


def test_what_failed_is_forgotten(lessons, file):
    lessons.try_without("http://a m", {"temperature"})
    lessons.worked("http://a m", {"json_schema"})
    lessons.failed("http://a m")
    assert lessons.known("http://a m") == elsewhere(file, "http://a m") == frozenset()


@pytest.mark.parametrize(("name", "left"), [("", 0), ("http://a", 1), ("n", 1), ("http://c", 2)])
def test_lessons_are_forgotten_by_server_or_model(lessons, name, left):
    lessons.worked("http://a m", {"temperature"})
    lessons.worked("http://b n", {"system"})
    assert len(lessons.forget(name)) == 2 - left
    assert len(lessons.all()) == left
