# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway fetches what was published, from a server that may do whatever it likes."""

from __future__ import annotations

import functools
import json
import shutil
import time
import typing as t
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from unit.directory.samples import Directory, gateway, key_of, names
from unit.fetch.server import Handler, Server
from unit.publishing.test_publish import published

from ansible_collections.vpnops.keys.plugins.module_utils._directory import note
from ansible_collections.vpnops.keys.plugins.module_utils._fetch import config, fetch, main, memory
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import detached, peer_store
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.platform import PeerChange, WantedPeer
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.state import ACTIVE, State
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import parse

Data = dict[str, t.Any]
COUNT = 40


@dataclass
class Daemon:
    """A VPN daemon that stores whatever it is given."""

    state: State
    name: str = "wireguard-wg0"
    calls: list[tuple[dict[str, WantedPeer], float]] = field(default_factory=list)
    refusing: str = ""

    def store(self, wanted: Sequence[WantedPeer], follow: float, write: bool) -> list[PeerChange]:
        assert write
        self.calls.append(({peer.name: peer for peer in wanted}, follow))
        return [PeerChange(peer.name, True, (), ("x",), "It is so." * (peer.name == self.refusing)) for peer in wanted]

    @property
    def last(self) -> dict[str, str | None]:
        """Of each peer the current key."""
        return {name: peer.current.text if peer.current else None for name, peer in self.calls[-1][0].items()}


class Gateway:
    """gw1, with its files in a directory."""

    def __init__(self, place: Path, server: Server, made: Data) -> None:
        self.place, self.server = place, server
        self.daemon = Daemon(State("wireguard-wg0", str(place)))
        self.settings = {
            "url": server.url, "verify_key": made["verify_key"], "gateway": "gw1", "name_salt": "", "number": 0,
            "interval": 60, "ca": str(server.ca), "platform": "wireguard", "interface": "wg0", "backend": "detect",
            "identity": "",
        }  # fmt: skip

    def run(self) -> int:
        """The exit code of a fetch."""
        Path(peer_store.CONFIG).write_text(json.dumps(self.settings))
        return main.main()

    @property
    def seen(self) -> memory.Seen:
        return t.cast("memory.Seen", memory.read(str(self.place / "fetch")))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "www"


@pytest.fixture
def first(directory: Directory, place: Path) -> Data:
    """The publication of gw1, gw2, ..."""
    directory.write(gateways=[gateway(f"gw{number}", key_of(f"gw{number}")) for number in range(1, COUNT + 1)])
    return published(directory, place)


@pytest.fixture
def server(place: Path, tmp_path: Path) -> Iterator[Server]:
    server = Server(place, tmp_path)
    yield server
    server.stop()


@pytest.fixture
def gw1(tmp_path: Path, server: Server, first: Data, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    made = Gateway(tmp_path, server, first)
    monkeypatch.setattr(peer_store, "CONFIG", str(tmp_path / "fetch.json"))
    monkeypatch.setattr(main, "load", lambda: config.load(str(tmp_path / "fetch.json")))
    monkeypatch.setattr(main, "open_platform", lambda daemon: made.daemon)
    monkeypatch.setattr(main, "Fetch", functools.partial(fetch.Fetch, place=str(tmp_path / "fetch")))
    monkeypatch.setattr(detached, "RUNTIME", str(tmp_path / "run"))
    return made


def change(directory: Directory, place: Path, name: str = "gw7") -> Data:
    """Another publication: a key is revoked."""
    directory.write("revoked", gateways=names(name))
    return published(directory, place)


def test_all_of_it(gw1: Gateway, directory: Directory, place: Path) -> None:
    """Stored once; then nothing is fetched but the checkpoint, until something changes: then that alone."""
    assert gw1.run() == 0
    assert gw1.daemon.last == {f"gw{number}": key_of(f"gw{number}") for number in range(2, COUNT + 1)}
    number = directory.read()["directory"]["checkpoint"]["number"]
    assert (gw1.seen.stored, gw1.seen.code, gw1.seen.number) == (True, "", number)
    assert (Path(gw1.place) / "fetch/seen.json").stat().st_mode & 0o777 == 0o600
    gw1.server.asked.clear()
    assert gw1.run() == 0
    assert (gw1.server.asked, len(gw1.daemon.calls)) == (["checkpoint"], 1)
    change(directory, place)
    gw1.server.asked.clear()
    assert gw1.run() == 0
    assert len(gw1.server.asked) == 3
    assert gw1.daemon.last["gw7"] is None
    kept = {path.name for path in (gw1.place / "fetch/files").iterdir()}
    assert len(kept) == 5


def test_a_rotation_is_followed(directory: Directory, place: Path, server: Server, gw1: Gateway) -> None:
    """Staged, and then for as long as it may take until the next fetch; and again until it has changed."""
    directory.write("prepared", gateways=names("gw2"))
    new = key_of("gw2", 2)
    directory.write("staged", keys=[{"gateway": "gw2", "public_key": new}])
    published(directory, place)
    for _again in range(2):
        assert gw1.run() == 0
        peers, follow = gw1.daemon.calls[-1]
        assert (peers["gw2"].current, peers["gw2"].staged) == (parse(key_of("gw2")), parse(new))
        assert follow == 180
    assert len(gw1.daemon.calls) == 2


def test_what_a_playbook_brought_is_not_undone(gw1: Gateway, directory: Directory, place: Path) -> None:
    """The publication is older than what was pushed meanwhile; once it is as new, it is stored."""
    assert gw1.run() == 0
    directory.write("revoked", gateways=names("gw8"))
    middle = directory.read()["directory"]["revision"]
    published(directory, place)
    peer_store.note(gw1.daemon, [middle + 1, None, "x", 10**20], way_back=False)  # type: ignore[arg-type]
    assert gw1.run() == 0
    assert ("newer" in gw1.seen.msg, len(gw1.daemon.calls)) == (True, 1)
    change(directory, place, "gw9")
    assert gw1.run() == 0
    assert (gw1.daemon.last["gw8"], gw1.daemon.last["gw9"]) == (None, None)


def test_nothing_is_stored_in_the_middle_of_a_change(gw1: Gateway) -> None:
    """A peer may be on its way back to its old key, which no publication has; or this gateway changes its own."""
    assert gw1.run() == 0
    memory.keep(gw1.seen._replace(stored=False), str(gw1.place / "fetch"))
    peer_store.note(gw1.daemon, [], way_back=True)  # type: ignore[arg-type]
    assert (gw1.run(), "rolling back" in gw1.seen.msg) == (0, True)
    peer_store.note(gw1.daemon, [], way_back=False)  # type: ignore[arg-type]
    gw1.daemon.state.note(ACTIVE, "f" * 64)
    assert (gw1.run(), "changing its own key" in gw1.seen.msg) == (0, True)
    assert len(gw1.daemon.calls) == 1
    gw1.daemon.state.forget()
    assert (gw1.run(), gw1.seen.stored) == (0, True)


def test_a_gateway_that_is_revoked_learns_nothing(gw1: Gateway, directory: Directory, place: Path) -> None:
    assert gw1.run() == 0
    change(directory, place, "gw1")
    assert gw1.run() == main.EXITS["blocked"]
    assert "revoked" in gw1.seen.msg
    assert len(gw1.daemon.calls) == 1


def test_a_peer_that_cannot_be_stored_stops_no_other(gw1: Gateway) -> None:
    """And it is tried again at each fetch."""
    gw1.daemon.refusing = "gw3"
    assert gw1.run() == main.EXITS["refused"]
    assert gw1.seen.msg == "It is so."
    assert not gw1.seen.stored
    assert gw1.run() == main.EXITS["refused"]
    gw1.daemon.refusing = ""
    assert (gw1.run(), gw1.seen.stored, gw1.seen.code) == (0, True, "")


def test_a_folder(gw1: Gateway, place: Path) -> None:
    gw1.settings["url"] = f"file://{place}"
    assert (gw1.run(), gw1.seen.stored) == (0, True)


def test_hidden_names(gw1: Gateway, directory: Directory, place: Path) -> None:
    shutil.rmtree(place)
    gw1.settings.update(name_salt="salt", verify_key=published(directory, place, name_salt="salt")["verify_key"])
    assert gw1.run() == 0
    assert len(gw1.daemon.last) == COUNT - 1
    assert set(gw1.daemon.last.values()) == {key_of(f"gw{number}") for number in range(2, COUNT + 1)}


# -- attacks


def swap(gw1: Gateway, data: Callable[[bytes], bytes]) -> None:
    def lie(handler: Handler, name: str) -> None:
        handler.answer(200, data((handler.server.folder / name).read_bytes()))

    gw1.server.lies["files/"] = lie


def endless(handler: Handler, name: str) -> None:
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.stopped.is_set():
        handler.wfile.write(b"x" * 65536)


def drip(handler: Handler, name: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    while not handler.server.stopped.wait(0.1):
        handler.wfile.write(b"x")


def stall(handler: Handler, name: str) -> None:
    handler.server.stopped.wait(60)


def headers(handler: Handler, name: str) -> None:
    while not handler.server.stopped.is_set():
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.01)


def redirect(handler: Handler, name: str) -> None:
    handler.answer(302, b"", Location="https://192.0.2.1/keys/checkpoint")


def torn(handler: Handler, name: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b"x" * 10)
    handler.close_connection = True


LIES: dict[str, tuple[str, Callable[[Handler, str], None], str]] = {
    "no checkpoint": ("checkpoint", lambda handler, name: handler.answer(404, b""), "unreachable"),
    "an empty one": ("checkpoint", lambda handler, name: handler.answer(200, b""), "tampered"),
    "nonsense": ("checkpoint", lambda handler, name: handler.answer(200, b"\xff" * 500), "tampered"),
    "not modified": ("checkpoint", lambda handler, name: handler.answer(304, b""), "unreachable"),
    "a redirect": ("checkpoint", redirect, "unreachable"),
    "an endless checkpoint": ("checkpoint", endless, "tampered"),
    "an endless page": ("files/", endless, "tampered"),
    "a checkpoint, byte by byte": ("checkpoint", drip, "timeout"),
    "a page, byte by byte": ("files/", drip, "timeout"),
    "a silent server": ("checkpoint", stall, "timeout"),
    "headers without end": ("checkpoint", headers, "timeout"),
    "a page that is missing": ("files/", lambda handler, name: handler.answer(404, b""), "unreachable"),
    "an error for a page": ("files/", lambda handler, name: handler.answer(500, b"\x1b[2J"), "unreachable"),
    "a page that is empty": ("files/", lambda handler, name: handler.answer(200, b""), "tampered"),
    "a page of other lines": ("files/", lambda handler, name: handler.answer(200, b"{}\n" * 16), "tampered"),
    "a torn page": ("files/", torn, "unreachable"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_lies(
    lie: str, gw1: Gateway, directory: Directory, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, an exit code, nothing stored; and once it is honest, all is well."""
    part, answer, code = LIES[lie]
    assert gw1.run() == 0
    change(directory, place)
    monkeypatch.setattr(main, "SECONDS", 1.5)
    gw1.server.lies = {part: answer}
    gw1.settings["interval"] = 61  # another configuration is no reason to forget
    if lie == "not modified":
        memory.keep(gw1.seen._replace(etag=""), str(gw1.place / "fetch"))
    began = time.monotonic()
    assert gw1.run() == main.EXITS[code]
    assert time.monotonic() - began < 20
    assert (gw1.seen.code, len(gw1.daemon.calls)) == (code, 1)
    assert gw1.seen.msg.isprintable()
    assert len(gw1.seen.msg) < 500
    gw1.server.lies = {}
    monkeypatch.setattr(main, "SECONDS", 60)
    assert (gw1.run(), gw1.seen.code, gw1.daemon.last["gw7"]) == (0, "", None)


SWAPS: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[:-1],
    "a byte": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "turned round": lambda data: b"\n".join(data.split(b"\n")[::-1]),
    "another key": lambda data: data.replace(key_of("gw7").encode(), key_of("evil").encode()),
}


@pytest.mark.parametrize("kind", SWAPS)
def test_no_other_page_is_believed(kind: str, gw1: Gateway) -> None:
    swap(gw1, SWAPS[kind])
    assert gw1.run() == main.EXITS["tampered"]
    assert gw1.daemon.calls == []


def test_nothing_older_comes_back(gw1: Gateway, directory: Directory, place: Path, tmp_path: Path) -> None:
    """Neither what was stored before, nor what is older than a checkpoint that was seen and never arrived."""
    old = tmp_path / "old"
    shutil.copytree(place, old)
    change(directory, place)
    gw1.server.lies["files/"] = LIES["a page that is missing"][1]
    assert gw1.run() == main.EXITS["unreachable"]
    gw1.server.lies = {}
    newest, gw1.server.folder = gw1.server.folder, old
    assert gw1.run() == main.EXITS["tampered"]
    assert gw1.daemon.calls == []
    gw1.server.folder = newest
    assert (gw1.run(), gw1.daemon.last["gw7"]) == (0, None)
    gw1.server.folder = old
    assert (gw1.run(), len(gw1.daemon.calls)) == (main.EXITS["tampered"], 1)


def test_nothing_older_than_when_it_was_installed(gw1: Gateway) -> None:
    gw1.settings["number"] = 10_000
    assert (gw1.run(), gw1.daemon.calls) == (main.EXITS["tampered"], [])


def test_two_histories(gw1: Gateway, directory: Directory, place: Path, tmp_path: Path) -> None:
    """Of two control nodes, one of which has a database that was put back."""
    database, kept = tmp_path / "directory.db", (tmp_path / "directory.db").read_bytes()
    change(directory, place)
    assert gw1.run() == 0
    database.write_bytes(kept)
    (tmp_path / "directory.db.key.witness").unlink()
    other = tmp_path / "other"
    directory.write("revoked", gateways=names("gw9"))
    assert published(directory, other)["publication"]["number"] == gw1.seen.number
    gw1.server.folder = other
    assert (gw1.run(), len(gw1.daemon.calls)) == (main.EXITS["tampered"], 1)
    assert "two different publications" in gw1.seen.msg


def test_two_publishers_of_one_directory(gw1: Gateway, directory: Directory, place: Path, tmp_path: Path) -> None:
    """They count alike, so a gateway may ask one after the other."""
    other = tmp_path / "other"
    published(directory, other)
    assert gw1.run() == 0
    gw1.server.folder = other
    assert (gw1.run(), len(gw1.daemon.calls)) == (0, 1)


def test_another_key(gw1: Gateway) -> None:
    """Of whoever has the web server: number, root and all, signed by a key of theirs."""
    path = gw1.server.folder / "checkpoint"
    text = path.read_text().partition("\n\n")[0] + "\n"
    origin = text.split("\n")[0]
    path.write_text(note.sign(text, origin, Ed25519PrivateKey.generate()))
    assert (gw1.run(), gw1.daemon.calls) == (main.EXITS["tampered"], [])


CLOCKS = {"slow": -3 * 86_400, "fast": 30 * 86_400}


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_wrong_clock_or_an_old_checkpoint(clock: str, gw1: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing new is stored, nothing is taken away, and it says so; when the clock is right it goes on."""
    gw1.settings["url"] = f"file://{gw1.server.folder}"  # TLS would notice it, too
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + CLOCKS[clock])
        assert (gw1.run(), gw1.daemon.calls) == (main.EXITS["blocked"], [])
    assert "clock" in gw1.seen.msg
    assert gw1.run() == 0


def test_an_impostor(gw1: Gateway, tmp_path: Path, place: Path) -> None:
    """Another server, whose certificate nobody knows here."""
    (tmp_path / "other").mkdir()
    other = Server(place, tmp_path / "other")
    gw1.settings["url"] = other.url
    assert gw1.run() == main.EXITS["unreachable"]
    assert other.asked == []
    other.stop()


def test_what_is_kept_is_verified_again(gw1: Gateway, directory: Directory, place: Path) -> None:
    """A page on the disk that became another one is fetched again."""
    assert gw1.run() == 0
    for path in (gw1.place / "fetch/files").iterdir():
        path.write_bytes(path.read_bytes().replace(key_of("gw2").encode(), key_of("evil").encode()))
    change(directory, place)
    assert (gw1.run(), gw1.daemon.last["gw2"]) == (0, key_of("gw2"))


def test_a_memory_that_cannot_be_read(gw1: Gateway) -> None:
    """Who forgot how far it was could be led back."""
    assert gw1.run() == 0
    path = gw1.place / "fetch/seen.json"
    for bad in ("", "{", "[]", '{"number": 1}', path.read_text().replace('"number": ', '"number": "x", "y": ')):
        path.write_text(bad)
        assert gw1.run() == 1


BAD: dict[str, Data] = {
    "http": {"url": "http://192.0.2.1/"},
    "a blank": {"url": "https://192.0.2.1/ x"},
    "a password": {"url": "https://me:secret@192.0.2.1/x"},
    "a query": {"url": "https://192.0.2.1/x?token=secret"},
    "no port": {"url": "https://192.0.2.1:x/"},
    "too high a port": {"url": "https://192.0.2.1:65536/"},
    "no host": {"url": "https:///x"},
    "half an address": {"url": "https://[2001:db8::1/x"},
    "often": {"interval": 1},
    "no key": {"verify_key": "x"},
    "a key of another name": {"verify_key": "vpnops.keys/x/gateways+00000000+AQ=="},
    "a number that is text": {"number": "1"},
    "no daemon": {"platform": "openvpn"},
    "a name": {"gateway": "../x"},
}


@pytest.mark.parametrize("kind", BAD)
def test_a_configuration_that_is_none(kind: str, gw1: Gateway) -> None:
    gw1.settings |= BAD[kind]
    assert (gw1.run(), gw1.server.asked) == (1, [])
