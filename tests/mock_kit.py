"""A dry run behind the mock server, and what clients send to it."""

import base64
import json

import httpx2
from kit import photo_folder

from doubleread.evals.datasets import read_dataset
from doubleread.mock_server.dry_run import DryRun, thumbnail
from doubleread.rag.images.case_images import Images

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def photos_in(folder, n=8):
    """A data set of photos."""
    return read_dataset(photo_folder(folder, n))


def dry_run(dataset, **options):
    """Answers about these photos, right ones unless told otherwise."""
    images = Images()
    looks = [thumbnail(images.open(case)) for case in dataset.cases]
    return DryRun(dataset.cases, looks, **{"accuracy": 1.0, **options})


def data_url(data):
    """An image as clients send it."""
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def showing(*urls, text="What is it?"):
    """Messages of a chat with images."""
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"role": "user", "content": [{"type": "text", "text": text}, *parts]}]


def post(mock, body=CHAT, path="/chat/completions", **headers):
    """The answer to a body, which is made JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with httpx2.Client(trust_env=False, timeout=30, verify=False) as client:
        return client.post(mock.base_url + path, content=content, headers=headers)
