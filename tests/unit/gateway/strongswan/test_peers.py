# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connections and files are meant, and what storing a key there comes to; without a charon."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ansible_collections.vpnops.keys.plugins.module_utils import _public_key
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import commands
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.platform import PeerChange, WantedPeer
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.state import State
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.strongswan import (
    auth as swan_auth,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.strongswan import (
    peers as swan_peers,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.strongswan import (
    platform as strongswan,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.strongswan import (
    site as swan_site,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.strongswan import (
    store,
    swanctl,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.strongswan.runtime import View, note_load
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.strongswan.site import Site
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import PublicKey

A, B, C = (_public_key.from_der(_public_key.ED25519_PREFIX + bytes([number]) * 32) for number in (1, 2, 3))

LOCAL = "local { auth = pubkey\n id = gw1\n pubkeys = gw1.pub\n }"
TO_GW2 = f"gw2 {{ {LOCAL}\n remote {{ id = gw2\n pubkeys = gw2.pub\n }} }}"
ROAD = "road { local { auth = psk\n id = gw1\n }\n remote { auth = psk\n } }"


@pytest.fixture
def charon(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that runs, with one connection that accepts one key, and no IKE_SA."""
    monkeypatch.setattr(swanctl, "answers", lambda: "")
    monkeypatch.setattr(swanctl, "started", lambda: "now")
    monkeypatch.setattr(swanctl, "sas", list)
    monkeypatch.setattr(swanctl, "known", list)
    monkeypatch.setattr(swanctl, "loaded", lambda: [swanctl.Loaded("gw2", 1)])
    monkeypatch.setattr(swanctl, "public_in", lambda path: None)


class Host:
    """A directory like /etc/swanctl."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = State("strongswan", str(path / "state"))
        (path / "conf.d").mkdir()
        (path / "pubkey").mkdir()
        (path / "swanctl.conf").write_text("include conf.d/*.conf\n", encoding="ascii")

    def connections(self, *texts: str) -> Host:
        lines = "\n".join(texts)
        (self.path / "conf.d" / "mesh.conf").write_text(f"connections {{\n{lines}\n}}\n", encoding="ascii")
        return self

    def key(self, name: str, key: PublicKey) -> Host:
        (self.path / "pubkey" / name).write_text(_public_key.pem(key), encoding="ascii")
        return self

    def site(self, identity: str = "") -> Site:
        return swan_site.read(str(self.path), identity)

    def change(self, current: PublicKey | None, staged: PublicKey | None = None, identity: str = "gw2") -> PeerChange:
        view = View(self.site(), self.state)
        peer = WantedPeer("gw2", identity, current, staged, (A,))
        return swan_peers.change(view, swan_peers.Found(peer, swan_peers.find(view, peer)))


@pytest.fixture
def host(tmp_path: Path, charon: None) -> Host:
    return Host(tmp_path).connections(TO_GW2).key("gw2.pub", A)


def loaded(host: Host) -> Host:
    note_load(host.state, host.site(), None)
    return host


def test_nothing_to_do(host: Host) -> None:
    change = loaded(host).change(A)
    assert (change.neighbor, change.changed) == (True, False)
    assert change.after == (f"current {A.fingerprint}", f"loaded current {A.fingerprint}")


def test_what_charon_has_not_loaded_is_a_change(host: Host) -> None:
    assert host.change(A).changed
    loaded(host).key("gw2.pub", B)
    assert host.change(B).changed


def test_a_staged_key_stands_beside_the_current_one(host: Host) -> None:
    change = loaded(host).change(A, B)
    assert change.after[:2] == (f"current {A.fingerprint}", f"staged {B.fingerprint}")
    assert change.changed
    assert not host.change(A, A).changed


def test_a_withdrawn_key_is_foretold(host: Host) -> None:
    change = loaded(host).change(None)
    assert change.after == (f"withdrawn {A.fingerprint}", f"loaded withdrawn {A.fingerprint}")


def test_a_peer_without_a_known_identity_is_found_by_its_key(host: Host) -> None:
    assert loaded(host).change(A, identity="elsewhere").neighbor
    host.key("gw2.pub", C)
    assert not host.change(A, identity="elsewhere").neighbor


def test_itself_is_no_neighbor(host: Host) -> None:
    assert not host.change(A, identity="gw1").neighbor


@pytest.mark.parametrize(
    ("remote", "words"),
    [
        ("id = gw2\n auth = psk", "authenticates the peer by psk"),
        ("id = gw2", "must name one file in remote.pubkeys, and names none"),
        ("id = gw2\n pubkeys = a.pub, b.pub", r"names a\.pub, b\.pub"),
        ("id = gw2\n pubkeys = gw1.pub", r"gw1\.pub is used by connection gw2, too"),
    ],
)
def test_connections_that_cannot_be_handled(host: Host, remote: str, words: str) -> None:
    host.connections(f"gw2 {{ {LOCAL}\n remote {{ {remote}\n }} }}")
    with pytest.raises(VpnKeysError, match=rf"{words}.* Nothing was changed\.$"):
        host.change(A)


@pytest.mark.parametrize(
    ("remote", "words"),
    [
        ("id = gw3\n auth = ed25519\n pubkeys = gw3.pub", "by ed25519, not by a raw public key"),
        ("id = gw3\n auth = ed448\n pubkeys = gw3.pub", "by ed448, not by a raw public key; write auth = pubkey."),
        ("id = gw3\n auth = pubkeys\n pubkeys = gw3.pub", "by pubkeys, not by a raw public key"),
        ("id = gw3\n auth = eap-tls:pubkey-sha256\n pubkeys = gw3.pub", "by eap-tls:pubkey-sha256, not by"),
        ("id = @gw3\n pubkeys = gw3.pub, gw3-old.pub", "names gw3.pub, gw3-old.pub"),
        ("id = gw3\n pubkeys = gw2.pub", "gw2.pub is used by connection"),
    ],
)
def test_who_cannot_be_told_is_known_before_anything_is_to_be_stored(host: Host, remote: str, words: str) -> None:
    """By identity and by key; the others can be told."""
    host.connections(TO_GW2, f"to3 {{ {LOCAL}\n remote {{ {remote}\n }} }}").key("gw3.pub", B)
    found = [one for one in swan_peers.blocked(View(host.site(), host.state)) if one.peer == "gw3"]
    assert found
    assert all(words in one.why for one in found)
    assert {one.key for one in found} == {A if "gw2.pub" in remote else B}
    others = [one for one in swan_peers.blocked(View(host.site(), host.state)) if one.peer != "gw3"]
    assert bool(others) == ("gw2.pub" in remote), "a file that two share is neither's"


def test_all_can_be_told(host: Host) -> None:
    assert swan_peers.blocked(View(host.site(), host.state)) == []


# Tried with charon 5.9.8, at the end of the peer and at the own end, with a raw Ed25519 key and with an RSA key of 3072
# bits: what charon takes for a public key, and which of the two gets in. What it discards is None.
TRIED = {
    "pubkey": (True, True),
    "rsa": (True, True),
    "rsa-2048": (True, True),
    "rsa/pss": (True, True),
    "ecdsa": (True, True),
    "rsa-2048-ed25519": (True, True),
    "pubkey-ed25519": (True, True),
    "ike:ed25519": (True, True),
    "pubkey-sha256-identity": (True, True),
    "pubkey-identity": (True, False),
    "ike:pubkey-identity": (True, False),
    "ike:pubkey-sha256": (False, True),
    "pubkey-sha512": (False, False),  # of an RSA key of 3072 bits, where the other end does not demand SHA-512, too
    "ed25519": None,
    "ed25519-256": None,
    "ed25519-identity": None,
    "ed448": None,
    "PUBKEY": None,
    "Ed25519": None,
    "any": None,
    "psk": None,
}
RSA = _public_key.from_der(
    rsa.generate_private_key(65537, 3072).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)


@pytest.mark.parametrize("auth", TRIED)
def test_what_auth_means_is_what_charon_makes_of_it(auth: str) -> None:
    tried = TRIED[auth]
    assert swan_auth.is_public_key(auth) is (tried is not None)
    if tried is not None:
        found = tuple(swan_auth.accepts(auth, key.algorithm, key.bits, None) for key in (A, RSA))
        assert found == tried
    for key in (A, RSA):
        assert swan_auth.accepts(auth, key.algorithm, key.bits, key), "as it was, it stays"


@pytest.mark.parametrize("auth", [auth for auth, tried in TRIED.items() if tried])
def test_a_peer_with_a_constraint_is_told_what_it_accepts(host: Host, auth: str) -> None:
    """From an Ed25519 key to another one always; to an RSA key where that is accepted."""
    host.connections(TO_GW2.replace("remote { id", f"remote {{ auth = {auth}\n id"))
    assert swan_peers.blocked(View(host.site(), host.state)) == []
    assert loaded(host).change(A, B).changed
    with contextlib.nullcontext() if swan_auth.accepts(auth, "rsa", 3072, A) else pytest.raises(
        VpnKeysError, match=f"Connection gw2 has auth = {auth}, which does not accept an RSA key of 3072 bits"
    ):
        assert host.change(A, RSA).changed


def test_an_own_key_that_the_own_end_does_not_accept_is_not_made(
    host: Host, gateway: strongswan.StrongSwan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swanctl, "generate", lambda *words: pytest.fail("made"))
    host.connections(TO_GW2.replace("auth = pubkey", "auth = ike:pubkey-sha256")).key("gw1.pub", RSA)
    with pytest.raises(VpnKeysError, match=r"which does not accept an Ed25519 key.*Nothing was changed\.$"):
        gateway.stage("ed25519", 3072)


def test_several_files_for_one_peer(host: Host) -> None:
    host.connections(TO_GW2, TO_GW2.replace("gw2 {", "again {").replace("gw2.pub", "other.pub"))
    with pytest.raises(VpnKeysError, match=r"several key files \(gw2\.pub, other\.pub\)"):
        host.change(A)


def test_keys_that_strongswan_does_not_have(host: Host) -> None:
    with pytest.raises(VpnKeysError, match="The key of gw2 is x25519"):
        host.change(_public_key.from_der(_public_key.X25519_PREFIX + bytes([9]) * 32))


def test_a_peer_that_cannot_be_handled_stops_nobody_else(host: Host) -> None:
    to_gw3 = TO_GW2.replace("gw2", "gw3")
    host.connections(TO_GW2.replace("pubkeys = gw2.pub", "auth = psk"), to_gw3).key("gw3.pub", B)
    peers = [WantedPeer(name, name, key, None, ()) for name, key in (("gw2", A), ("gw3", C))]
    bad, good = swan_peers.find_all(View(host.site(), host.state), peers)
    assert bad.entry is None
    assert bad.why.startswith("Peer gw2: Connection gw2 authenticates the peer by psk")
    assert good.entry is not None
    assert good.why == ""


@pytest.mark.parametrize("withdrawn", [False, True])
def test_of_two_peers_with_one_connection_none_is_stored_and_a_withdrawal_counts(host: Host, withdrawn: bool) -> None:
    one = WantedPeer("gw2", "gw2", B, None, ())
    other = WantedPeer("gw3", "gw2", None if withdrawn else C, None, (A,))
    for order in ([one, other], [other, one]):
        found = {item.peer.name: item for item in swan_peers.find_all(View(host.site(), host.state), order)}
        assert found["gw2"].entry is None
        assert found["gw2"].why.startswith("Peer gw2: its connection is also that of gw3. It was excluded;")
        assert bool(found["gw3"].entry) is withdrawn


def test_a_withdrawn_peer_is_found_by_its_key_though_it_claims_our_identity(host: Host) -> None:
    assert loaded(host).change(None, identity="gw1").after[0] == f"withdrawn {A.fingerprint}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no connection"),
        (ROAD, "by psk, not by a raw public key"),
        (TO_GW2.replace("pubkeys = gw1.pub", ""), "names no file in local.pubkeys"),
        (TO_GW2.replace("remote {", "local-2 { auth = eap\n }\n remote {"), "several rounds"),
        (TO_GW2 + TO_GW2.replace("gw2 {", "gw3 {").replace("gw1", "other"), "several own keys"),
        (TO_GW2, ""),
        (TO_GW2 + ROAD, ""),
    ],
)
def test_why_the_own_key_cannot_be_handled(host: Host, text: str, words: str) -> None:
    reason = swan_site.why_not_own(host.connections(text).site())
    assert words in reason
    assert bool(words) == bool(reason)


def test_an_identity_chooses(host: Host) -> None:
    host.connections(TO_GW2, TO_GW2.replace("gw2 {", "gw3 {").replace("gw1", "other"))
    assert [item.name for item in host.site("gw1").connections] == ["gw2"]
    assert [item.name for item in host.site("@other").connections] == ["gw3"]
    assert [item.name for item in host.site("other").others] == ["gw2"]


def test_our_own_file_has_to_be_read(host: Host) -> None:
    assert swan_site.why_not_overlaid(host.site()) == ""
    (host.path / "swanctl.conf").write_text(f"connections {{ {TO_GW2}\n }}\n", encoding="ascii")
    assert "include conf.d/*.conf" in swan_site.why_not_overlaid(host.site())


class Stored:
    """Stands for swan_store.apply: charon refuses whatever has the key `bad`."""

    def __init__(self, bad: PublicKey, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bad = bad
        self.calls: list[list[str]] = []
        monkeypatch.setattr(store, "apply", self.apply)
        monkeypatch.setattr(swanctl, "load", lambda: None)

    def apply(
        self, state: State, view: View, pending: list[tuple[WantedPeer, swan_peers.Entry]], *more: Any
    ) -> None:
        self.calls.append([peer.name for peer, dummy in pending])
        if any(peer.current == self.bad for peer, dummy in pending):
            raise VpnKeysError("refused", "swanctl --load-creds failed")


@pytest.fixture
def gateway(host: Host) -> strongswan.StrongSwan:
    names = ("gw2", "gw3", "gw4", "gw5")
    host.connections(*(TO_GW2.replace("gw2", name) for name in names))
    for name in names:
        host.key(f"{name}.pub", A if name == "gw2" else B)
    return strongswan.StrongSwan("", str(host.path), str(host.path / "root"))


def test_a_key_that_charon_refuses_leaves_out_its_peer_alone_and_undoes_no_withdrawal(
    gateway: strongswan.StrongSwan, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = Stored(C, monkeypatch)
    peers = [WantedPeer(name, name, key, None, ()) for name, key in (("gw3", A), ("gw4", C), ("gw5", A), ("gw2", None))]
    changes = {change.name: change for change in gateway.store(peers, 0, write=True)}
    assert stored.calls[0] == ["gw2"]
    assert {name for name, change in changes.items() if change.refused} == {"gw4"}
    assert changes["gw4"].refused == "Peer gw4: swanctl --load-creds failed. It was excluded."
    assert not changes["gw4"].changed
    assert ["gw3"] in stored.calls or ["gw3", "gw5"] in stored.calls


def test_what_charon_refuses_without_these_keys_too_is_an_error_at_once(
    gateway: strongswan.StrongSwan, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = Stored(C, monkeypatch)

    def load() -> None:
        raise VpnKeysError("refused", "it is another file")

    monkeypatch.setattr(swanctl, "load", load)
    peers = [WantedPeer(name, name, C, None, ()) for name in ("gw2", "gw3", "gw4", "gw5")]
    with pytest.raises(VpnKeysError, match="it is another file"):
        gateway.store(peers, 0, write=True)
    assert len(stored.calls) == 1


# ---- what somebody else gave to charon


@pytest.fixture
def by_hand(gateway: strongswan.StrongSwan, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A charon with a connection that is in no file. It fails whoever loads, and notes what it has to forget."""
    names = ("gw2", "gw3", "gw4", "gw5", "by-hand")
    forgotten: list[str] = []

    def load() -> None:
        raise AssertionError("loading takes away the connection that is in no file")

    monkeypatch.setattr(swanctl, "loaded", lambda: [swanctl.Loaded(name, 1) for name in names])
    monkeypatch.setattr(swanctl, "load", load)
    monkeypatch.setattr(swanctl, "unload", forgotten.extend)
    monkeypatch.setattr(swanctl, "generate", lambda *words: "private")
    monkeypatch.setattr(swanctl, "public_of_text", lambda text: C)
    return forgotten


def test_a_connection_that_is_only_in_charon_survives_a_repair(
    gateway: strongswan.StrongSwan, by_hand: list[str], host: Host
) -> None:
    """And a withdrawal, which is carried out all the same: charon forgets that one connection."""
    peers = [WantedPeer(name, name, key, None, ()) for name, key in (("gw3", A), ("gw4", B), ("gw2", None))]
    for write in (False, True):
        changes = {change.name: change for change in gateway.store(peers, 0, write=write)}
        assert {name for name, change in changes.items() if change.refused} == {"gw3", "gw4"}
        assert "connections that are not in swanctl.conf (by-hand)" in changes["gw3"].refused
        assert changes["gw3"].refused.endswith("It was excluded.")
    assert by_hand == ["gw2"]
    assert swan_site.key_in(str(host.path / "pubkey" / "gw2.pub")) == C, "the key that nobody has"
    assert swan_site.key_in(str(host.path / "pubkey" / "gw3.pub")) == B


@pytest.mark.parametrize(
    ("identities", "is_accepted"),
    [
        (("gw2",), True), (("fqdn:GW2",), True), (("gw9", "@gw2"), True), (("",), True), (("gw9",), False), ((), False),
    ],
)  # fmt: skip
def test_a_withdrawal_is_not_acknowledged_where_such_a_connection_may_accept_the_key(
    gateway: strongswan.StrongSwan,
    by_hand: list[str],
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    identities: tuple[str, ...],
    is_accepted: bool,
) -> None:
    """It is carried out all the same, and also said of a peer that is in no file."""
    of_others = swanctl.Loaded("by-hand", 1, identities)
    monkeypatch.setattr(swanctl, "loaded", lambda: [swanctl.Loaded("gw2", 1, ("gw2",)), of_others])
    sentence = (
        "Peer gw2: charon has connections that are not in swanctl.conf (by-hand) and may still accept its key. "
        "Those of swanctl.conf do not accept it any more; remove them, or write them into swanctl.conf."
    )
    for write in (False, True, True):
        (change,) = gateway.store([WantedPeer("gw2", "gw2", None, None, (A,))], 0, write=write)
        assert change.refused == (sentence if is_accepted else "")
    assert swan_site.key_in(str(host.path / "pubkey" / "gw2.pub")) == C
    (elsewhere,) = gateway.store([WantedPeer("gw8", "gw8", None, None, ())], 0, write=True)
    assert ("by-hand" in elsewhere.refused) is ("" in identities)


def test_which_identities_a_loaded_connection_accepts_by_a_raw_key(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = {
        "class = public key\nid = gw3\ncerts = [\nX\n]": ("gw3",),
        "class = public key\nid = %any": ("",),
        "class = public key": ("",),
        "class = any\nid = gw3": ("gw3",),
        "class = public key\nid = %any\ncacerts = [\nX\n]": (),
        "class = pre-shared key\nid = gw3": (),
        "class = EAP\nid = gw3": (),
    }
    for end, identities in ends.items():
        local = "local-1 {\nclass = public key\nid = gw1\n}"
        output = f"list-conn event {{\nby-hand {{\n{local}\nremote-1 {{\n{end}\n}}\n}}\n}}"
        monkeypatch.setattr(commands, "run", lambda *words, output=output: output)
        (found,) = swanctl.loaded()
        assert found.identities == identities, end


def test_the_own_key_is_not_changed_where_that_would_unload_others(
    gateway: strongswan.StrongSwan, by_hand: list[str]
) -> None:
    for change in (gateway.activate, lambda: gateway.generate("ed25519", 256)):
        with pytest.raises(VpnKeysError, match=r"\(by-hand\).*Nothing was changed"):
            change()


@pytest.mark.parametrize(
    ("answer", "done"),
    [(b"\x01\x03\x07success\x00\x03yes", True), (b"\x01\x03\x07success\x00\x02no", False), (b"", False)],
)
def test_charon_is_told_to_forget_a_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, done: bool
) -> None:
    """In its own protocol: the length, the kind of message, the command, and the name with its length."""
    path, seen = str(tmp_path / "vici"), bytearray()
    monkeypatch.setattr(swanctl, "SOCKET", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        server.listen()

        def serve() -> None:
            client, _address = server.accept()
            with client:
                seen.extend(client.recv(1000))
                client.sendall(len(answer).to_bytes(4, "big") + answer if answer else b"")

        charon = threading.Thread(target=serve)
        charon.start()
        with contextlib.nullcontext() if done else pytest.raises(VpnKeysError, match="gw2"):
            swanctl.unload(["gw2"])
        charon.join(5)
    assert bytes(seen) == b"\x00\x00\x00\x18" + b"\x00\x0bunload-conn" + b"\x03\x04name\x00\x03gw2"


@pytest.mark.parametrize("type_", ["ecdsa", "ed448"])
def test_a_private_key_of_another_kind_is_none_of_our_business(monkeypatch: pytest.MonkeyPatch, type_: str) -> None:
    """Beside the own pair, where charon takes the private key that fits."""
    ecdsa, other = ec.generate_private_key(ec.SECP256R1()).public_key(), ed448.Ed448PrivateKey.generate().public_key()
    pem = (ecdsa if type_ == "ecdsa" else other).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    monkeypatch.setattr(commands, "attempt", lambda *words, **options: commands.Done(0, pem, ""))
    assert swanctl.public_of("/etc/swanctl/ecdsa/other.key") is None
    assert swanctl.public_in("/etc/swanctl/pubkey/other.pub") is None
