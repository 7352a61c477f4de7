"""Panels that ask for something, and a server that must not be asked."""

import shutil
import socketserver
import threading
from contextlib import contextmanager

from panel_kit import edited


@contextmanager
def counting():
    """Address of a server that answers nothing, and what it was sent."""
    got = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            got.append(self.request.recv(10_000))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", got
        finally:
            server.shutdown()
            thread.join()


def with_settings(folder, target, **sections):
    """A copy of a panel whose folder says something else."""

    def change(head):
        for name, values in sections.items():
            head["settings"][name] = {**head["settings"][name], **values}

    shutil.copytree(folder, target)
    edited(target, "panel.json", change)
    return target
