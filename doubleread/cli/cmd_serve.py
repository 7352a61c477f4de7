"""``doubleread serve``."""

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

from doubleread.cli.screen import OUT, note, warn
from doubleread.core.process import at_rest
from doubleread.panel import Panel
from doubleread.sessions.opening import open_sessions
from doubleread.settings import Settings
from doubleread.web.app import make_app
from doubleread.web.pages import PanelFacts
from doubleread.web.rules import Rules, chosen_token, is_loopback, public_host
from doubleread.web.serving import bound, serve


def run_serve(
    panel_folder: Path,
    settings: Settings,
    *,
    talk: str,
    host: str,
    port: int,
    token: str | None,
    reviewer_token: str | None,
    allow: bool = False,
    public_hosts: Sequence[str] = (),
) -> None:
    """Serves until Ctrl-C. Prints the address, with the token if one was generated, and nothing that users send."""
    public = tuple(public_host(name) for name in public_hosts)
    asked = chosen_token(host, token, reviewer_token, public=bool(public))
    with ExitStack() as stack:
        listening = stack.enter_context(bound(host, port))
        panel = stack.enter_context(Panel.load(panel_folder, settings=settings, allow_from_panel=allow))
        panel.warm_up()
        stack.enter_context(at_rest())
        sessions = stack.enter_context(open_sessions(panel, talk))
        _say_where(host, listening.getsockname()[1], asked, public, given=token is not None)
        rules = Rules(host, asked, reviewer_token, public)
        serve(make_app(sessions, PanelFacts.of(panel), rules), listening)
    note("stopped; readings that had not ended are carried on at the next start")


def _say_where(host: str, port: int, token: str | None, public: Sequence[str], *, given: bool) -> None:
    shown = socket.gethostname() if host in {"0.0.0.0", "::"} else f"[{host}]" if ":" in host else host  # noqa: S104 - compared, not bound
    ending = "" if token is None or given else f"/?token={quote(token)}"
    for name in public:
        OUT.print(f"through the proxy: https://{name}{ending}", highlight=False, markup=False, soft_wrap=True)
    OUT.print(f"serving at http://{shown}:{port}{ending}", highlight=False, markup=False, soft_wrap=True)
    if not is_loopback(host):
        warn("everybody on this network who has the token can use it; what is sent is not encrypted: put TLS before it")
    note("Ctrl-C stops it")
