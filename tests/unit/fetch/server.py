# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A web server for a folder, which can be made to lie, to stall and to go on for ever."""

from __future__ import annotations

import datetime
import hashlib
import http.server
import ipaddress
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Lie = Callable[["Handler", str], None]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        name = self.path.removeprefix("/keys/")
        self.server.asked.append(name)
        for part, lie in self.server.lies.items():
            if part in name:
                lie(self, name)
                return
        self.honest(name)

    def honest(self, name: str) -> None:
        path = self.server.folder / name
        if not path.is_file():
            self.answer(404, b"no")
            return
        data = path.read_bytes()
        etag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
        if self.headers.get("If-None-Match") == etag:
            self.send_response(304)
            self.end_headers()
            return
        self.answer(200, data, ETag=etag)

    def answer(self, status: int, data: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *dummy: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """`lies`: by part of a name, what is answered instead of the file; `asked`: all names."""

    daemon_threads = True

    def __init__(self, folder: Path, place: Path, address: str = "127.0.0.1") -> None:
        super().__init__((address, 0), Handler)
        self.folder = folder
        self.lies: dict[str, Lie] = {}
        self.asked: list[str] = []
        self.ca = place / "ca.pem"
        certificate(self.ca, place / "server.pem", address)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place / "server.pem")
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.stopped = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://{self.server_address[0]!s}:{self.server_address[1]}/keys"

    def handle_error(self, *dummy: object) -> None:
        """Who asks goes away in the middle."""

    def stop(self) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()


def certificate(ca: Path, chain: Path, address: str) -> None:
    """One that signs itself. `chain`: with its private key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "publisher")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    ca.write_bytes(made)
    chain.write_bytes(secret + made)
