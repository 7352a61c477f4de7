"""``doubleread chat``: through a pipe, and at a prompt that is typed into."""

import asyncio
import io
import json
import shutil
import signal
import stat
import subprocess
import sys

import pytest
from kit import photo, unspaced
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console
from sessions_kit import own_panel, referring, watched

from doubleread.cli.chat_events import tame
from doubleread.cli.chat_paths import dropped
from doubleread.cli.chat_prompt import ChatPrompt, Suggestions
from doubleread.cli.chat_room import Room
from doubleread.cli.chat_run import Wish, talk_at_prompt
from doubleread.cli.chat_show import Screen
from doubleread.core.attribution import WINDOWS, Attribution, AttributionMap
from doubleread.core.case import Case
from doubleread.render.preview import Preview
from doubleread.sessions.engine import Sessions
from doubleread.sessions.record import Bars, Cases, Event, Maps, Reply, Table, Text

SETTINGS = ("--settings", "s.toml")
NOTHING = Preview("none")
HOSTILE = "\x1b[2J\x9b31m\rgone\u202e"


# -- through a pipe -----------------------------------------------------------------------------------------------


@pytest.fixture
def chat(doubleread, made, offline, tmp_path, monkeypatch):
    """Runs ``doubleread chat`` with lines on stdin, on a panel and a folder of sessions of its own."""
    own = shutil.copytree(made, tmp_path / "panel")
    monkeypatch.setenv("DOUBLEREAD_SESSIONS__FOLDER", str(tmp_path / "sessions"))

    def run(*arguments, lines=()):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return doubleread("chat", *arguments, "--panel", own)

    return run


@pytest.fixture
def leaf(tmp_path):
    return photo(tmp_path / "leaf.png", 0, 77)


def sessions_of(chat):
    return [json.loads(line) for line in chat("--list", "--json").out.splitlines()]


def test_answers_go_to_stdout_and_what_happens_to_stderr(chat, leaf):
    ran = chat(leaf, lines=["why?", "", "/similar green 2"])
    assert ran.code == 0
    assert "leaf.png" in ran.out
    assert "blue" in ran.out
    assert "2 labelled images of green" in ran.out
    assert ran.out.index("% sure") < ran.out.index("2 labelled images")
    assert "asking logistic, neighbours" in ran.err
    assert "logistic: blue" in ran.err
    assert "> why?" in ran.err
    assert "asking" not in ran.out
    assert "\x1b" not in ran.out
    assert max(map(len, ran.out.splitlines())) <= 100


def test_json_lines_are_the_events_and_nothing_else(chat, leaf):
    ran = chat(leaf, "--json", lines=["why?"])
    events = [Event.model_validate_json(line) for line in ran.out.splitlines()]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    kinds = [event.kind for event in events]
    assert kinds[:2] == ["image", "asked"]
    assert kinds[-3:] == ["verdict", "said", "reply"]
    assert ran.err == ""


def test_an_image_that_cannot_be_read_is_told_the_rest_goes_on_and_the_code_is_2(chat, leaf, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    ran = chat(tmp_path / "gone.png", broken, leaf, lines=["/images"])
    assert ran.code == 2
    assert unspaced(f"the file is missing: '{tmp_path / 'gone.png'}'") in unspaced(ran.err)
    assert "broken.png" in ran.err.replace("\n", "")
    assert "Traceback" not in ran.err
    assert ran.out.count("leaf.png") >= 2


def test_images_of_one_subject_get_one_verdict(chat, leaf, tmp_path):
    other = photo(tmp_path / "leaf-2.png", 0, 78)
    ran = chat(lines=[f"/subject {leaf} {other}", "/subject leaf.png"])
    told = " ".join(ran.out.split())
    assert "one verdict for 2 images" in told
    assert "both images say blue" in told
    assert "name at least two images" in ran.err
    assert ran.code == 2


def test_several_files_at_once_may_be_one_subject(chat, leaf, tmp_path):
    other = photo(tmp_path / "leaf-2.png", 0, 78)
    ran = chat(lines=[f"{leaf} {other}", "/together 1, 2"])
    assert "if they show one subject, /together 1, 2 gives one verdict" in " ".join(ran.err.split())
    assert "one verdict for 2 images" in ran.out
    assert ran.code == 0


def test_a_session_is_listed_gone_on_with_renamed_exported_and_deleted(chat, leaf, tmp_path):
    chat(leaf)
    (one,) = sessions_of(chat)
    assert (one["title"], one["images"]) == ("leaf.png", 1)
    document = tmp_path / "out" / "told.md"
    ran = chat("--session", one["id"], lines=["/rename Leaves of June", f"/export {document}", "/export told.pdf"])
    assert ran.code == 2
    assert "ends in .md or .html" in ran.err
    assert "without metadata (place, owner, device)" in " ".join(ran.err.split())
    kept = chat("--session", one["id"], lines=[f"/export {document} --keep-metadata"])
    assert "with the metadata that is in them" in " ".join(kept.err.split())
    assert "copies of the original files" in document.read_text(encoding="utf-8")
    assert "current" in ran.out
    assert "leaf.png" in document.read_text(encoding="utf-8")
    assert [info["title"] for info in sessions_of(chat)] == ["Leaves of June"]
    assert "Leaves of June" in chat("--list").out
    assert "/delete yes" in chat("--session", one["id"], lines=["/delete"]).err
    assert len(sessions_of(chat)) == 1
    assert chat("--session", one["id"], lines=["/delete yes", "/rename too late"]).code == 2
    assert sessions_of(chat) == []
    assert "no sessions yet" in chat("--list").out


def test_an_unknown_session_is_one_line_and_code_2(chat):
    ran = chat("--session", "nobody", lines=["why?"])
    assert ran.code == 2
    assert "there is no session 'nobody'" in ran.err
    assert sessions_of(chat) == []


def test_an_unknown_model_to_talk_with_is_one_line_and_code_2(chat):
    ran = chat("--talk", "nobody", lines=["why?"])
    assert ran.code == 2
    assert "model to talk with" in ran.err
    assert "Traceback" not in ran.err


def test_what_follows_quit_is_not_done(chat, leaf):
    ran = chat(leaf, lines=["/quit", "why?"])
    assert ran.code == 0
    assert "> why?" not in ran.err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("what is the weather like", "is not understood"),
        ("/nonsense", "there is no command /nonsense"),
        ("/why-not moss", "there is no label “moss”"),
        ("/undo", "there is nothing to undo"),
        ("/read-again hint: it was wet", "no agent of this panel reads text"),
    ],
)
def test_a_line_that_is_not_understood_or_cannot_be_done_is_told_the_rest_goes_on_and_the_code_is_2(
    chat, leaf, line, told
):
    ran = chat(leaf, lines=[line, "/similar green 2"])
    assert ran.code == 2
    assert told in " ".join(ran.out.split())
    assert "2 labelled images of green" in ran.out


def test_what_was_not_understood_before_is_no_fault_of_now(chat, leaf):
    assert chat(leaf, lines=["what is the weather like"]).code == 2
    (one,) = sessions_of(chat)
    ran = chat("--session", one["id"], "--json", lines=["why?"])
    assert ran.code == 0
    assert [json.loads(line)["data"]["refused"] for line in ran.out.splitlines() if '"reply"' in line] == [False]


def test_nothing_waits(chat, leaf):
    ran = chat(leaf, lines=["/decide red"])
    assert ran.code == 2
    assert "nothing waits for a decision on leaf.png" in ran.err
    assert "nothing waits" in chat("--waiting").out


@pytest.mark.parametrize(
    ("arguments", "who"), [((), "carl"), (("--reviewer", "Ada"), "Ada"), (("--reviewer", ""), ""), (SETTINGS, "Bo")]
)
def test_who_decides_is_on_record(chat, leaf, tmp_path, monkeypatch, arguments, who):
    monkeypatch.setenv("LOGNAME", "carl")
    (tmp_path / "s.toml").write_text('[sessions]\nreviewer = "Bo"\n')
    ran = chat(leaf, *(str(tmp_path / one) if one == SETTINGS[1] else one for one in arguments), "--json",
               lines=["/correct green"])  # fmt: skip
    (decided,) = [json.loads(line)["data"] for line in ran.out.splitlines() if '"decided"' in line]
    assert (decided["label"], decided["reviewer"]) == ("green", who)


def test_who_decides_is_shown(chat, leaf):
    ran = chat(leaf, "--reviewer", "Ada\x1b[2J", lines=["/correct green", "/undo", "/waiting"])
    assert "decided: green by Ada [2J" in ran.out
    assert "undone by Ada [2J" in ran.out
    assert "decisions go on record as by Ada [2J" in ran.err
    assert chat("--reviewer", "x" * 121).code == 2


def test_the_help_loads_neither_the_prompt_nor_the_engine():
    code = "import sys; from doubleread.cli.main import main\ntry: main(['chat', '--help'])\nexcept SystemExit: pass\n"
    heavy = "print([m for m in ('prompt_toolkit', 'langgraph', 'numpy', 'torch') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code + heavy], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"


# -- at a prompt --------------------------------------------------------------------------------------------------


class Desk:
    """A room whose screen is a text, and a prompt that is typed into."""

    def __init__(self, panel, folder):
        self.out = Console(file=io.StringIO(), width=80, color_system=None)
        self.sessions = Sessions(panel, folder / "sessions")
        self.room = Room(self.sessions, panel, Screen(self.out, self.out, NOTHING))

    @property
    def text(self):
        return self.out.file.getvalue()

    def typed(self, keys, *images):
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            pipe.send_text(keys)
            talk_at_prompt(self.room, ChatPrompt(self.room), Wish(images))
        return self.text

    def kinds(self):
        return [event.kind for event in self.room.events]

    def said(self):
        return [event.data["text"] for event in self.room.events if event.kind == "said"]


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_state_path", lambda _name: tmp_path / "state")
    return tmp_path / "state"


@pytest.fixture
def panel(made, quick, tmp_path, state):
    with own_panel(made, tmp_path, quick) as panel:
        yield panel


@pytest.fixture
def desk(panel, tmp_path):
    opened = Desk(panel, tmp_path)
    yield opened
    asyncio.run(opened.sessions.close())


def test_what_is_typed_is_answered_until_one_leaves(desk, leaf, state):
    text = desk.typed("why?\r/quit\rwho?\r", leaf)
    assert desk.said() == ["why?"]
    assert "✓ logistic: blue" in text
    assert "by cosine" not in text
    history = state / "chat_history"
    assert "+why?" in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_ctrl_c_gives_up_a_line_and_ctrl_d_leaves(desk, leaf):
    desk.typed("/undo\x03who?\r\x04why?\r", leaf)
    assert desk.said() == ["who?"]


def test_several_pasted_lines_are_one_that_waits_for_enter(desk, leaf):
    desk.typed("\x1b[200~/confirm\nred\n\x1b[201~\x03\x1b[200~why\r\nnot green?\x1b[201~\r\x04", leaf)
    assert desk.said() == ["why not green?"]
    assert "decided" not in desk.kinds()


def test_files_that_are_dropped_are_added_and_read(desk, leaf, tmp_path):
    other = photo(tmp_path / "an other.png", 1, 78)
    desk.typed(f"\x1b[200~'{other}' {leaf}\x1b[201~\x04")
    assert desk.kinds().count("verdict") == 2
    assert desk.room.current_name == "leaf.png"


def test_ctrl_c_stops_a_reading_and_the_session_stays(made, quick, tmp_path, leaf, state):
    class Impatient(Screen):
        def event(self, event, picture):
            super().event(event, picture)
            if event.kind == "asked":
                signal.raise_signal(signal.SIGINT)

    with watched(own_panel(made, tmp_path, quick), tmp_path / "asked", logistic=3600) as panel:
        desk = Desk(panel, tmp_path)
        desk.room.show = Impatient(desk.out, desk.out, NOTHING)
        text = desk.typed("/images\r\x04", leaf)
        asyncio.run(desk.sessions.close())
    assert "the reading was stopped before its end" in " ".join(text.split())
    assert "verdict" not in desk.kinds()
    assert desk.kinds()[-2:] == ["said", "reply"]


def test_what_waits_is_taken_up_and_decided_in_its_own_session(made, quick, tmp_path, leaf, state):
    other = photo(tmp_path / "other.png", 1, 78)
    with referring(own_panel(made, tmp_path, quick)) as panel:
        desk = Desk(panel, tmp_path)
        desk.typed("\x04", leaf)
        first = desk.room.id
        desk.room.leave()
        desk.typed("\x04", other)
        second = desk.room.id
        asyncio.run(desk.room.show_work())
        assert (desk.room.id, desk.room.current_name) == (first, "leaf.png")
        desk.typed("/next\r/decide gren\r/decide green\r\x04")
        assert (desk.room.id, desk.room.current_name) == (second, "other.png")
        assert desk.room.events[-1].data["label"] == "green"
        assert "there is no label “gren”" in desk.text
        assert "1 more waits: /next" in desk.text
        desk.room.reviewer = "Ada"
        desk.typed("/next\r/decide red\r/next\r\x04")
        assert desk.room.id == first
        assert desk.kinds()[-1] == "decided"
        assert desk.room.events[-1].data["reviewer"] == "Ada"
        assert "nothing waits for a decision" in desk.text
        asyncio.run(desk.sessions.close())


def test_the_image_that_was_taken_up_is_talked_about(made, quick, tmp_path, leaf, state):
    with referring(own_panel(made, tmp_path, quick)) as panel:
        desk = Desk(panel, tmp_path)
        desk.typed("\x04", leaf, photo(tmp_path / "other.png", 1, 78))
        asyncio.run(desk.room.show_work())
        desk.typed("why?\r\x04")
        asyncio.run(desk.sessions.close())
    assert desk.room.current_name == "leaf.png"
    assert "leaf.png" in str(desk.room.events[-1].data)


def offered(desk, text):
    return [one.text for one in Suggestions(desk.room).get_completions(Document(text), CompleteEvent())]


def test_commands_labels_agents_images_and_files_are_completed(desk, leaf, tmp_path):
    desk.typed("\x04", leaf, photo(tmp_path / "other.png", 1, 78))
    assert offered(desk, "/wh") == ["/why", "/why-not", "/who", "/where", "/what-would-change"]
    assert offered(desk, "/de") == ["/decide", "/delete"]
    assert offered(desk, "/why-not g") == ["/why-not green"]
    assert offered(desk, "/decide ") == ["/decide blue", "/decide green", "/decide red"]
    assert offered(desk, "/who lo") == ["/who logistic"]
    assert offered(desk, "/switch ") == ["/switch leaf.png"]
    assert offered(desk, f"/add {tmp_path}/oth") == ["er.png"]
    assert offered(desk, f"{tmp_path}/oth") == ["er.png"]
    assert offered(desk, "why is it so") == []


# -- what is drawn ------------------------------------------------------------------------------------------------


def drawn(reply, preview=NOTHING, **options):
    out = Console(file=io.StringIO(), width=80, **options)
    Screen(out, out, preview).reply(reply)
    return out.file.getvalue()


def neighbour(path=None):
    case = "a" * 64 if path is None else Case.from_file(path).id
    return {"case_id": case, "label": "rust" + HOSTILE, "similarity": 0.91234, "source": HOSTILE, "path": path}


EVERYTHING = Reply(
    blocks=(
        Text(lines=("first " * 30, HOSTILE)),
        Table(head=("agent", HOSTILE), rows=(("texture", "says " * 30), (HOSTILE, "[bold]rust[/bold]"))),
        Cases(title=HOSTILE, cases=(neighbour(),)),
        Bars(title="shares", shares={"rust": 0.75, HOSTILE: 0.25}, before={"rust": 0.5}),
    ),
    suggestions=("/why", HOSTILE),
)


def test_every_block_fits_80_columns_and_steers_nothing():
    text = drawn(EVERYTHING, color_system=None)
    assert max(map(len, text.splitlines())) <= 80
    assert not {"\x1b", "\x9b", "\r", "\u202e"} & set(text)
    assert "[bold]rust[/bold]" in text
    assert "was 50.0%" in text
    assert "0.91" in text


def test_stored_cases_are_pictures_where_the_screen_has_colours(leaf):
    reply = Reply(blocks=(Cases(cases=(neighbour(leaf), neighbour())),))
    coloured = drawn(reply, Preview("blocks"), color_system="truecolor", force_terminal=True)
    assert "▀" in coloured
    assert "no picture" in coloured
    assert "▀" not in drawn(reply)


def test_maps_are_overlays_where_the_screen_has_colours_and_words_everywhere(leaf):
    after = tuple(tuple(0.2 if (i, j) == (1, 1) else 0.9 for j in range(WINDOWS)) for i in range(WINDOWS))
    one = AttributionMap(agent="texture", label="rust" + HOSTILE, before=0.9, after=after)
    case = Case.from_file(leaf)
    found = Attribution(case=case, label="rust", maps=(one,), without={"model": HOSTILE}, scale=0.7)
    reply = Reply(blocks=(Maps(found=found),))
    blocks, screen = Preview("blocks"), {"color_system": "truecolor", "force_terminal": True}
    coloured, plain = drawn(reply, blocks, **screen), drawn(reply, color_system=None)
    assert "▀" in coloured
    assert "covering it lowers the probability by 70 points" in coloured
    assert "▀" not in plain
    for part in ("90.0%", "lowers it to 20.0%"):
        assert part in plain
    assert not {"\x1b", "\x9b", "\u202e"} & set(plain)
    gone = found.model_copy(update={"case": case.model_copy(update={"path": leaf.parent / "gone.png"})})
    assert "20.0%" in drawn(Reply(blocks=(Maps(found=gone),)), blocks, **screen)


def test_what_models_and_files_say_is_tamed_in_keys_too():
    told = {"label": HOSTILE, "distribution": {HOSTILE: 0.5}, "reason": "one\ntwo", "round": 1, "all": [HOSTILE]}
    event = Event(session="s", seq=1, time="2026-01-01T00:00:00Z", kind="answer", data=told)
    words = json.dumps(tame(event).data, ensure_ascii=False)
    assert not {"\x1b", "\x9b", "\r", "\u202e"} & set(words)
    assert '"reason": "one two"' in words


def test_folders_patterns_and_paths_of_windows_are_added(desk, leaf, tmp_path, monkeypatch):
    monkeypatch.chdir(leaf.parent)
    for i in range(2):
        photo(leaf.parent / "more" / f"more-{i}.png", i, 70 + i)
    text = desk.typed("/add more\r/add more\\more-1.png\r/add no/*.png\r/add -\r/quit\r", leaf)
    assert "more-0.png" in text
    assert text.count("more-1.png") >= 2
    assert "no/*.png: no image found; expected files that match the pattern" in " ".join(text.split())
    assert "name files, folders or patterns" in " ".join(text.split())


def test_paths_are_images_however_a_terminal_types_them(tmp_path):
    one = photo(tmp_path / "it's a leaf.PNG", 0, 1)
    other = photo(tmp_path / "b.jpg", 0, 2)
    (tmp_path / "notes.txt").write_text("no image")
    escaped = str(one).replace(" ", "\\ ").replace("'", "\\'")
    for text in (str(one), escaped, f'"{one}"', one.as_uri()):
        assert dropped(text) == (one,)
    assert dropped(f"{escaped} {other}") == (one, other)
    for text in ("why?", "", f"{other} why?", str(tmp_path / "notes.txt"), "it's rust", "x" * 5000 + ".jpg"):
        assert dropped(text) == ()
