"""A panel that was loaded before a fork says so in the child, at once, and the parent goes on."""

import asyncio
import os
import signal
import warnings

import numpy as np
import pytest

from doubleread.core.background import Background
from doubleread.core.errors import PanelError, StoreError
from doubleread.core.process import OneProcess
from doubleread.panel import Panel
from doubleread.rag.stores.archive import Archive

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
PATIENCE_S = 30


def in_a_child(work):
    """What ``work`` raised in a forked child, as text; fails where the child hangs."""
    inlet, outlet = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE_S)
        try:
            told = f"gave {work()!r}"
        except BaseException as error:  # noqa: BLE001 - it is what is asked for
            told = f"{type(error).__name__}: {error}"
        os.write(outlet, told[:4000].encode())
        os._exit(0)
    os.close(outlet)
    with os.fdopen(inlet) as said:
        told = said.read()
    assert os.waitpid(child, 0)[1] == 0, "the child hung"
    return told


async def double(n):
    return 2 * n


@pytest.mark.parametrize("began", [True, False])
def test_a_background_stays_in_its_process(began):
    with Background() as background:
        if began:
            assert background.call(double, 1) == 2
        told = in_a_child(lambda: background.call(double, 2))
        assert told.startswith("PanelError: this panel was loaded in another process")
        assert in_a_child(background.close) == "gave None"
        assert background.call(double, 3) == 6


def test_every_way_to_ask_a_panel_is_refused_in_a_child(made, quick, photos):
    image = str(next(photos.rglob("*.png")))
    with Panel.load(made, settings=quick) as panel:
        here = panel.diagnose(image)

        async def streamed():
            return [one async for one in panel.astream([image])]

        ways = [
            lambda: panel.diagnose(image),
            lambda: list(panel.diagnose_many([image])),
            lambda: asyncio.run(panel.adiagnose(image)),
            lambda: asyncio.run(streamed()),
            lambda: panel.compare_batch([]),
            panel.warm_up,
            panel.about,
        ]
        for way in ways:
            told = in_a_child(way)
            assert "in another process" in told, told
            assert "load it in each process" in told

        def loaded_anew():
            with Panel.load(made, settings=quick) as fresh:
                return fresh.diagnose(image).label

        assert in_a_child(loaded_anew) == f"gave {here.label!r}"
        assert in_a_child(panel.close) == "gave None"
        assert panel.diagnose(image).label == here.label


def test_a_store_is_refused_in_a_child(tmp_path):
    with Archive(tmp_path / "archive", "encoder", dim=2) as archive:
        query = np.ones((1, 2), np.float32)
        assert archive.search(query, 1) == [[]]
        assert in_a_child(lambda: archive.search(query, 1)).startswith(f"{StoreError.__name__}: the archive")
        assert in_a_child(archive.version).startswith(StoreError.__name__)
        assert archive.search(query, 1) == [[]]


def test_the_error_names_both_ways_out():
    home = OneProcess()
    home.check()
    assert in_a_child(home.check).startswith(PanelError.__name__)
