"""A picture is opened once for all who look at it within a moment."""

import threading
import time

import pytest
from PIL import Image

from doubleread.core.errors import ImageError
from doubleread.rag.images.case_images import OpenedImages


class Opening:
    def __init__(self, width=100):
        self.width, self.times = width, 0

    def __call__(self):
        self.times += 1
        time.sleep(0.01)
        return Image.new("RGB", (self.width, 50))


def test_those_who_ask_at_once_share_one_picture():
    lately, opening, found = OpenedImages(1_000_000), Opening(), []
    asking = [threading.Thread(target=lambda: found.append(lately.get("a", 1024, opening))) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert opening.times == 1
    assert len(set(map(id, found))) == 1


def test_a_whole_picture_serves_every_size_that_it_fits_into():
    lately, opening = OpenedImages(1_000_000), Opening(width=100)
    whole = lately.get("a", 1024, opening)
    assert lately.get("a", 100, opening) is whole
    assert lately.get("a", None, opening) is whole
    assert opening.times == 1
    small = lately.get("a", 80, lambda: Image.new("RGB", (80, 40)))
    assert small.width == 80


def test_a_picture_that_was_scaled_down_is_no_answer_for_another_size():
    lately = OpenedImages(1_000_000)
    lately.get("a", 80, lambda: Image.new("RGB", (80, 40)))
    assert lately.get("a", 90, lambda: Image.new("RGB", (90, 45))).width == 90
    assert lately.get("a", None, lambda: Image.new("RGB", (100, 50))).width == 100


def test_the_longest_unused_go_first():
    lately, a, b, c = OpenedImages(2 * 100 * 50 * 3), Opening(), Opening(), Opening()
    lately.get("a", None, a)
    lately.get("b", None, b)
    lately.get("a", None, a)
    lately.get("c", None, c)
    lately.get("a", None, a)
    lately.get("b", None, b)
    assert (a.times, b.times, c.times) == (1, 2, 1)


def test_a_picture_larger_than_all_that_may_be_held_is_given_all_the_same():
    lately, opening = OpenedImages(10), Opening()
    assert lately.get("a", None, opening).width == 100
    assert lately.get("a", None, opening).width == 100
    assert opening.times == 2


def test_a_failure_is_told_and_not_held():
    lately = OpenedImages(1_000_000)

    def broken():
        raise ImageError("corrupt", "cut short")

    with pytest.raises(ImageError):
        lately.get("a", None, broken)
    assert lately.get("a", None, Opening()).width == 100
