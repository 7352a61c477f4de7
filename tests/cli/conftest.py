"""The command line, called in this process."""

from dataclasses import dataclass

import pytest

from doubleread.cli.main import main


@dataclass
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
def doubleread(capsys, monkeypatch):
    """Runs ``doubleread`` with these arguments, output going into a pipe."""
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def offline(settings, monkeypatch):
    """The embedded encoder and the cache of all tests, as the environment says it."""
    monkeypatch.setenv("DOUBLEREAD_ENCODER__NAME", "efficientnet-lite0")
    monkeypatch.setenv("DOUBLEREAD_ENCODER__CACHE_DIR", settings.encoder.cache_dir)
    monkeypatch.setenv("DOUBLEREAD_TRUST__FOLDS", "3")
