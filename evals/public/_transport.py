"""One question over HTTPS, asked so that nothing but the answer can come back.

Plain HTTP is spoken with this machine only, and a redirect never leads from https to http.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx2

from doubleread.core.errors import DataError
from doubleread.core.loopback import is_loopback

MAX_REDIRECTS = 5
CONNECT_S, READ_S = 10.0, 60.0
_USABLE = (200, 206, 416)
"""All of it, the rest of it, and "there is no more of it"."""


@contextmanager
def get(url: str, headers: Mapping[str, str]) -> Iterator[httpx2.Response]:
    """The open answer, redirects followed; its status is 200, 206 or 416, and its bytes are as sent.

    Raises ``DataError`` for an address that is not allowed, for a server that cannot be reached or says something
    else, and for a connection that breaks while the caller reads.
    """
    _check(url)
    try:
        for _ in range(MAX_REDIRECTS + 1):
            with _client(url, headers) as client, client.stream("GET", url) as response:
                if not response.has_redirect_location:
                    _refuse_status(response, url)
                    yield response
                    return
                url = _next(url, response)
    except httpx2.TransportError as error:
        raise DataError(_failure(error, url)) from None
    raise DataError(f"{url} redirects more than {MAX_REDIRECTS} times; try again later, or fetch it in a browser")


def _client(url: str, headers: Mapping[str, str]) -> httpx2.Client:
    return httpx2.Client(
        headers={**headers, "Accept-Encoding": "identity"},
        timeout=httpx2.Timeout(READ_S, connect=CONNECT_S),
        follow_redirects=False,
        trust_env=not is_loopback(url),  # a proxy would swallow calls to this machine
    )


def _check(url: str) -> None:
    if not (url.startswith("https://") or (url.startswith("http://") and is_loopback(url))):
        raise DataError(
            f"{url} is not fetched; only https addresses are, so that nobody can change the file on its way"
        )


def _next(url: str, response: httpx2.Response) -> str:
    """Where the redirect leads; from https only to https."""
    try:
        target = str(httpx2.URL(url).join(response.headers["location"]))
    except httpx2.InvalidURL as error:
        raise DataError(f"{url} redirects to an invalid address ({error}); try again later") from None
    if url.startswith("https://") and not target.startswith("https://"):
        raise DataError(f"{url} redirects to {target}, which is not https, so it was not followed")
    _check(target)
    return target


def _refuse_status(response: httpx2.Response, url: str) -> None:
    status = response.status_code
    if status in _USABLE:
        return
    if status in (404, 410):
        raise DataError(f"{url} does not exist any more (HTTP {status}); look for the file at the data set's home page")
    raise DataError(f"{url} is not available now (HTTP {status} {response.reason_phrase}); run the command again later")


def _failure(error: Exception, url: str) -> str:
    host = urlsplit(url).hostname
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
        return f"no connection to {host} ({error}); check that this machine is online and that HTTPS_PROXY is right"
    if isinstance(error, httpx2.ReadTimeout):
        return f"{host} sent nothing for {READ_S:g} s; the part received is kept; run the command again to resume"
    return (
        f"the connection to {host} broke ({type(error).__name__}); the part received is kept; run the command "
        "again to resume"
    )
