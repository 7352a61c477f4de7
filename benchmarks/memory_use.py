"""What a process takes, in MB, as the system tells it."""

import re
from pathlib import Path

from benchmarks.figure import Skipped

_STATUS = "/proc/{}/status"
_FORGET = Path("/proc/self/clear_refs")


def resident() -> float:
    """Now; raises ``Skipped`` where the system does not say."""
    return _read("VmRSS")


def resident_of(process: int) -> float:
    """Of another process, by its number."""
    return _read("VmRSS", process)


def peak() -> float:
    """At most, since the program began or ``forget_peak``. ``getrusage`` would count what the parent took before it."""
    return _read("VmHWM")


def forget_peak() -> None:
    """Resets ``peak``; raises ``Skipped`` where the system cannot."""
    try:
        _FORGET.write_text("5", encoding="ascii")
    except OSError:
        raise Skipped(f"this system cannot reset the memory peak in {_FORGET}") from None


def _read(name: str, process: int | str = "self") -> float:
    status = Path(_STATUS.format(process))
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB$", status.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        found = None
    if found is None:
        raise Skipped(f"this system does not give the memory of a process in {status}")
    return int(found[1]) / 1e3
