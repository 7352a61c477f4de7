"""Provenance of a panel or run: what is needed to reproduce it."""

import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from doubleread.core.types import Json
from doubleread.prompts.prompt import Prompt

PACKAGES = (
    "doubleread",
    "torch",
    "open_clip_torch",
    "timm",
    "chromadb",
    "netcal",
    "langgraph",
    "numpy",
    "openai",
    "scikit-learn",
)


def provenance(prompts: Iterable[Prompt] = ()) -> Json:
    """Returns versions, hashes of the prompts, git revision of the working folder (null outside one) and time."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "packages": {name: installed for name in PACKAGES if (installed := package_version(name))},
        "prompts": {prompt.id: {"version": prompt.version, "sha256": prompt.sha256} for prompt in prompts},
        "git": git_revision(),
    }


def package_version(name: str) -> str | None:
    """Returns the installed version of a package; None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def git_revision() -> str | None:
    """Returns the commit of the working folder, with ``+changes`` if files differ from it."""
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True)
        state = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("+changes" if state.stdout.strip() else "")
