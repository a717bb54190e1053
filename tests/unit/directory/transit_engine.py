# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for a transit engine that really signs, with keys that leave it by no request.

It answers two requests as Vault's API documents them, and refuses what is not documented there:
https://developer.hashicorp.com/vault/api-docs/secret/transit. No real engine was there to compare it with.
"""

from __future__ import annotations

import base64
import json
import threading
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

TOKEN = "hvs.of-the-tests"
NAME = "vpn-directory"
URL = f"vault://transit/keys/{NAME}"
Data = dict[str, t.Any]


class Engine(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.versions = [ed25519.Ed25519PrivateKey.generate()]
        self.kind, self.least, self.sealed, self.signed = "ed25519", 0, False, 0
        self.forge: t.Callable[[Data], Data] = lambda data: data

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def rotate(self) -> None:
        self.versions.append(ed25519.Ed25519PrivateKey.generate())

    def key(self) -> Data:
        shown = {
            str(number): {"name": "ed25519", "public_key": _public(one), "creation_time": "2026-11-28T00:00:00Z"}
            for number, one in enumerate(self.versions, 1)
        }
        return {
            "type": self.kind,
            "name": NAME,
            "keys": shown,
            "latest_version": len(shown),
            "min_available_version": 0,
            "min_decryption_version": 1,
            "min_encryption_version": self.least,
            "exportable": False,
            "supports_signing": True,
        }

    def sign(self, asked: Data) -> Data:
        """Raises KeyError, ValueError."""
        version = asked.get("key_version") or len(self.versions)
        if not max(self.least, 1) <= version <= len(self.versions):
            raise ValueError(f"cannot sign with key version {version}")
        self.signed += 1
        signature = self.versions[version - 1].sign(base64.b64decode(asked["input"], validate=True))
        return {"signature": f"vault:v{version}:{base64.b64encode(signature).decode()}", "key_version": version}


def _public(key: ed25519.Ed25519PrivateKey) -> str:
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return base64.b64encode(raw).decode()


class Handler(BaseHTTPRequestHandler):
    server: Engine
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments: t.Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answered(f"/v1/transit/keys/{NAME}", self.server.key)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answered(f"/v1/transit/sign/{NAME}", lambda: self.server.sign(asked))

    def _answered(self, path: str, answer: t.Callable[[], Data]) -> None:
        if self.server.sealed:
            self._say(503, {"errors": ["Vault is sealed"]})
        elif self.headers["X-Vault-Token"] != TOKEN:
            self._say(403, {"errors": ["permission denied"]})
        elif self.path != path:
            self._say(404, {"errors": []})
        else:
            try:
                self._say(200, self.server.forge({"request_id": "1", "lease_id": "", "data": answer()}))
            except (KeyError, ValueError) as error:
                self._say(400, {"errors": [str(error)]})

    def _say(self, status: int, body: Data) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextmanager
def running() -> Iterator[Engine]:
    with Engine() as engine:
        thread = threading.Thread(target=engine.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield engine
        finally:
            engine.shutdown()
            thread.join()
