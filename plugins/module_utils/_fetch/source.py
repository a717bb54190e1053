# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where files of a publication come from: a web server, which may lie, stall and never end, or a folder. PRIVATE to the
collection; standard library only.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import ssl
import typing as t
from urllib.parse import urlsplit

from .._errors import NOTHING_CHANGED, VpnKeysError
from .._printable import printable

SILENCE = 15.0
"""Seconds without a byte."""
_ETAG = re.compile(r'(?:W/)?"[!#-~]{0,200}"')


class Answer(t.NamedTuple):
    """`data` None: nothing has changed since `etag`."""

    data: bytes | None
    etag: str


class Source(t.Protocol):
    def get(self, name: str, longest: int, etag: str = "") -> Answer:
        """A file of at most so many bytes. Raises VpnKeysError."""

    def close(self) -> None: ...


def opened(url: str, ca: str) -> Source:
    return Folder(url[len("file://") :]) if url.startswith("file://") else Web(url, ca)


class Folder:
    """A folder of this gateway: a git working tree, a memory stick."""

    def __init__(self, path: str) -> None:
        self.path = path

    def get(self, name: str, longest: int, etag: str = "") -> Answer:
        try:
            with open(os.path.join(self.path, name), "rb") as file:
                data = file.read(longest + 1)
        except OSError as error:
            raise _unreachable(f"{self.path}/{name} cannot be read: {error.strerror}") from None
        return Answer(_short(data, longest, name), "")

    def close(self) -> None:
        pass


class Web:
    """One connection for all files. Whatever is not the file is refused; no redirect is followed."""

    def __init__(self, url: str, ca: str) -> None:
        parts = urlsplit(url)
        self.host, self.path = parts.netloc, parts.path
        try:
            context = ssl.create_default_context(cafile=ca or None)
        except OSError as error:  # so are those of ssl
            raise VpnKeysError("bad_input", f"{ca} has no usable certificate: {error}", state=NOTHING_CHANGED) from None
        host, port = parts.hostname or "", parts.port
        self.connection = http.client.HTTPSConnection(host, port, timeout=SILENCE, context=context)

    def get(self, name: str, longest: int, etag: str = "") -> Answer:
        headers = {"If-None-Match": etag} if etag else {}
        try:
            self.connection.request("GET", f"{self.path}/{name}", headers=headers)
            response = self.connection.getresponse()
            return self._read(response, name, longest, bool(etag))
        except socket.timeout:  # noqa: UP041, another one on Python 3.8
            raise _late(self.host) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = printable(str(error) or type(error).__name__, 200)
            raise _unreachable(f"{self.host} cannot be reached: {why}") from None

    def _read(self, response: http.client.HTTPResponse, name: str, longest: int, conditional: bool) -> Answer:
        if response.status == 304 and conditional:
            response.read(1)
            return Answer(None, "")
        if response.status != 200:
            raise _unreachable(f"{self.host} answered HTTP status {response.status} to the request for {name}")
        data = _short(response.read(longest + 1), longest, name)
        if response.length:  # a connection that ends early is no error to read(n)
            raise _unreachable(f"{self.host} ended the connection in the middle of {name}")
        etag = response.getheader("ETag") or ""
        return Answer(data, etag if _ETAG.fullmatch(etag) else "")

    def close(self) -> None:
        self.connection.close()


@contextlib.contextmanager
def limited(seconds: float, what: str) -> t.Iterator[None]:
    """All of it in that time, whatever it waits for. Raises VpnKeysError(timeout)."""

    def over(*_signal: object) -> None:
        raise _late(what)

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _short(data: bytes, longest: int, name: str) -> bytes:
    if len(data) > longest:
        raise VpnKeysError("tampered", f"{name} is longer than such a file can be", state=NOTHING_CHANGED)
    return data


def _unreachable(what: str) -> VpnKeysError:
    return VpnKeysError("unreachable", what, state=NOTHING_CHANGED)


def _late(what: str) -> VpnKeysError:
    return VpnKeysError("timeout", f"{what} does not answer in time", state=NOTHING_CHANGED)
