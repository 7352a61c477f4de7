"""What ``doubleread diagnose`` prints: a card for each of a few images, a line for each of many, or JSON."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from doubleread.cli.screen import ERR, OUT, say, table, tell_json, warn, words_line
from doubleread.core.notices import first_few
from doubleread.core.terminal_text import harmless

if TYPE_CHECKING:
    from doubleread.core.verdict import Unread, Verdict
    from doubleread.evals.runs.runner import RunProgress
    from doubleread.panel import Panel

FEW = 12
"""Up to so many images get a card each."""
_ALERTS = 5


class Output(Protocol):
    """Shows one result after the other."""

    def show(self, result: "Verdict | Unread") -> None: ...

    def end(self) -> None: ...


class Cards:
    """A card for each image, with details from the panel that explains it."""

    def __init__(self, explaining: "Panel | None", only: str | None) -> None:
        self._explaining, self._only, self._words = explaining, only, dict[str, None]()

    def show(self, result: "Verdict | Unread") -> None:
        from doubleread.core.verdict import Unread

        if isinstance(result, Unread):
            show_unread(result)
        else:
            OUT.print(result)
            self._words.update(dict.fromkeys(self._texts(result)))

    def end(self) -> None:
        """Says how to get the details, and where the words of the cards are explained."""
        if self._words and self._only is not None and self._explaining is None:
            ERR.print(f"[dim]more: doubleread diagnose {escape(harmless(self._only))} --explain[/]", soft_wrap=True)
        words_line(self._words)

    def _texts(self, verdict: "Verdict") -> tuple[str, ...]:
        from doubleread.core.verdict_wording import first_screen
        from doubleread.render.terminal_card import verdict_details

        if self._explaining is None:
            return first_screen(verdict)
        lines = self._explaining.explain(verdict).lines
        OUT.print(verdict_details(verdict, besides=lines))
        for line in lines:
            OUT.print(f"· {harmless(line)}", markup=False, highlight=False)
        return (*first_screen(verdict), *lines)


class Lines:
    """A line for each image, and how many there were of each kind at the end."""

    def __init__(self) -> None:
        self._counts = Counts()

    def show(self, result: "Verdict | Unread") -> None:
        from doubleread.core.verdict import Unread
        from doubleread.core.verdict_wording import headline

        self._counts.add(result)
        if isinstance(result, Unread):
            show_unread(result)
        else:
            mark = "✓" if result.decision.action == "commit" else "⚑"
            say(harmless(f"{mark} {result.case.source}: {headline(result)}"))

    def end(self) -> None:
        self._counts.print(OUT)


class JsonOutput:
    """A JSON object for each image."""

    def __init__(self, *, many: bool) -> None:
        self._counts, self._many = Counts(), many

    def show(self, result: "Verdict | Unread") -> None:
        from doubleread.core.verdict import LEANINGS

        self._counts.add(result)
        tell_json(result.model_dump_json(exclude=set(LEANINGS)))

    def end(self) -> None:
        if self._many:
            self._counts.print(ERR)


class Counts:
    """How many images got which verdict."""

    def __init__(self) -> None:
        self.committed, self.referred, self.unread = Counter[str](), Counter[str](), Counter[str]()
        self.alerts = Counter[str]()
        """What is out of the ordinary, such as an image that the panel has learned from."""

    def add(self, result: "Verdict | Unread") -> None:
        from doubleread.core.verdict import Unread
        from doubleread.core.verdict_wording import alerts

        if isinstance(result, Unread):
            self.unread[result.code] += 1
            return
        self.alerts.update(alerts(result))
        if result.decision.action == "commit":
            self.committed[str(result.decision.label)] += 1
        else:
            why = "unlike the calibration images" if result.unfamiliar else "not sure enough"
            self.referred[why] += 1

    def print(self, console: Console) -> None:
        """Prints the counts, and on stderr what is out of the ordinary."""
        console.print(self._table())
        common = self.alerts.most_common()
        told = [f"{n:,} image{'' if n == 1 else 's'}: {what}" for what, n in common]
        for line in first_few(told, "{n:,} more such remarks", _ALERTS):
            warn(line)

    def _table(self) -> Table:
        """One row for each kind, and their sum."""
        made = table("verdict", "images", right=("images",))
        for label, n in sorted(self.committed.items()):
            made.add_row(escape(harmless(label)), f"{n:,}")
        for why, n in sorted(self.referred.items()):
            made.add_row(f"have a person look: {why}", f"{n:,}")
        for code, n in sorted(self.unread.items()):
            made.add_row(f"not read: {escape(code)}", f"{n:,}")
        made.add_row("all", f"{sum(map(Counter.total, (self.committed, self.referred, self.unread))):,}")
        return made


def show_unread(unread: "Unread") -> None:
    """Says why an image could not be read."""
    ERR.print(f"[red]✗[/red] {escape(harmless(f'{unread.source}: {unread.problem}'))}", highlight=False)


@contextmanager
def progress_of(*, many: bool) -> "Iterator[Callable[[RunProgress], None]]":
    """A bar, or a line at intervals, where results go elsewhere than to this terminal; else the results show it."""
    if not many or OUT.is_terminal:
        yield lambda _tally: None
        return
    from doubleread.cli.run_progress import watching

    with watching() as watch:
        yield watch
