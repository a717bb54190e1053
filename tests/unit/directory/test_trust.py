# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures: what somebody else writes to the database is named and goes no further."""

from __future__ import annotations

import base64
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, rsa, x25519
from unit.directory.samples import Data, Directory, acknowledgements, gateway, mesh, names, new_key, pending, stage

from ansible_collections.vpnops.keys.plugins.module_utils import _public_key
from ansible_collections.vpnops.keys.plugins.module_utils._directory import key_file, signing, states, store
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError


def tamper(directory: Directory, statement: str, *values: object) -> None:
    with sqlite3.connect(directory.url.removeprefix("sqlite:///")) as connection:
        assert connection.execute(statement, values).rowcount > 0


EVIL = new_key()
TAMPERINGS: dict[str, tuple[str, tuple[object, ...], dict[str, object]]] = {
    "key": (
        "UPDATE keys SET public_key = ?, fingerprint = ? WHERE gateway = 'gw1' AND serial = 1",
        (EVIL, _public_key.parse(EVIL).fingerprint),
        {"gateway": "gw1", "serial": 1, "what": "key"},
    ),
    "state": (
        "UPDATE keys SET state = 'current' WHERE gateway = 'gw1' AND serial = 2",
        (),
        {"gateway": "gw1", "serial": 2, "what": "key"},
    ),
    "another gateway": (
        "UPDATE keys SET gateway = 'gw1', serial = 9 WHERE gateway = 'gw2'",
        (),
        {"gateway": "gw1", "serial": 9, "what": "key"},
    ),
    "no signature": (
        "UPDATE keys SET signature = '' WHERE gateway = 'gw1' AND serial = 2",
        (),
        {"gateway": "gw1", "serial": 2, "what": "key"},
    ),
    "no signature of its own key": (
        "UPDATE keys SET signature = '' WHERE gateway = 'gw1' AND serial = 1",
        (),
        {"gateway": "gw1", "serial": 1, "what": "key"},
    ),
    "revoked": (
        "UPDATE keys SET state = 'revoked' WHERE gateway = 'gw1' AND serial = 2",
        (),
        {"gateway": "gw1", "serial": 2, "what": "key"},
    ),
    "endpoint": (
        "UPDATE gateways SET endpoint = '198.51.100.66:51820' WHERE name = 'gw1'",
        (),
        {"gateway": "gw1", "serial": None, "what": "gateway"},
    ),
    "networks": (
        "UPDATE gateways SET networks = '[\"0.0.0.0/0\"]' WHERE name = 'gw1'",
        (),
        {"gateway": "gw1", "serial": None, "what": "gateway"},
    ),
    "rotation": (
        "UPDATE rotations SET old_serial = 2 WHERE gateway = 'gw1'",
        (),
        {"gateway": "gw1", "serial": None, "what": "rotation"},
    ),
}


@pytest.fixture
def rotating(directory: Directory) -> Directory:
    mesh(directory)
    stage(directory)
    return directory


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampered_records_are_named_and_never_distributed(rotating: Directory, name: str) -> None:
    statement, values, named = TAMPERINGS[name]
    tamper(rotating, statement, *values)
    found = rotating.read()
    assert named in found["directory"]["tampered"]
    assert "gw1" not in found["directory"]["gateways"]
    assert "gw1" not in [one["name"] for one in found["peers"]]
    assert EVIL not in str(found)
    assert "198.51.100.66" not in str(found)
    assert "gw3" in found["directory"]["gateways"]  # the others go on

    for state in ("active", "prepared", "rolled_back", "revoked"):
        sentence = rotating.refused("tampered", state, gateways=names("gw1"))
        assert sentence.startswith("gw1: its records (")
        assert "Nothing was changed" in sentence
    rotating.refused("tampered", gateways=[gateway("gw1", endpoint="192.0.2.1:1")])
    rotating.write("prepared", gateways=names("gw3"))


def test_an_old_record_put_back_is_seen_beside_the_new_one(rotating: Directory) -> None:
    path = rotating.url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        old = connection.execute("SELECT state, signature FROM keys WHERE gateway='gw1' AND serial=1").fetchone()
    rotating.write("active", gateways=names("gw1"))
    tamper(rotating, "UPDATE keys SET state = ?, signature = ? WHERE gateway = 'gw1' AND serial = 1", *old)
    assert rotating.read()["directory"]["tampered"] == [
        {"gateway": "gw1", "serial": 1, "what": "key"},  # not the newest that was signed
        {"gateway": "gw1", "serial": None, "what": "two current keys"},
    ]
    rotating.refused("tampered", "verified", gateways=names("gw1"))


@pytest.mark.parametrize("name", TAMPERINGS)
def test_repaired_with_what_the_gateway_shows(rotating: Directory, name: str) -> None:
    statement, values, _named = TAMPERINGS[name]
    own = rotating.entry("gw1")["current"]
    tamper(rotating, statement, *values)
    assert "public_key" in rotating.refused("bad_input", gateways=[gateway("gw1")], repair=True)
    serials = {1, 2, *([9] if name == "another gateway" else [])}
    result = rotating.write(gateways=[gateway("gw1", own, networks=["10.79.1.0/24"])], repair=True)
    for one in (result, rotating.read()):
        assert "gw1" not in [found["gateway"] for found in one["directory"]["tampered"]]
    shown = result["directory"]["gateways"]["gw1"]
    assert (shown["public_key"], shown["networks"], shown["rotation"]) == (own, ["10.79.1.0/24"], None)
    assert shown["endpoint"] == "gw1.example.net:51820"
    assert pending(result)["gw3"] == ["gw1"]
    states = rotating.states("gw1")
    assert serials <= set(states)
    assert list(states.values()).count("current") == 1
    assert EVIL not in (shown["public_key"], rotating.entry("gw1")["staged"], rotating.entry("gw1")["previous"])
    rotating.write("prepared", gateways=names("gw1"))


def test_a_rotation_that_is_over_is_repaired_as_well(rotating: Directory) -> None:
    own = rotating.entry("gw1")["current"]
    rotating.write("rolled_back", gateways=names("gw1"))
    tamper(rotating, "UPDATE rotations SET begun_by = 'mallory' WHERE gateway = 'gw1'")
    result = rotating.write(gateways=[gateway("gw1", own)], repair=True)
    assert result["directory"]["tampered"] == []
    assert rotating.read()["directory"]["tampered"] == []


STRANGE: dict[str, tuple[str, tuple[object, ...]]] = {
    "no JSON": ("UPDATE gateways SET networks = 'rubbish' WHERE name = 'gw1'", ()),
    "JSON of another kind": ("UPDATE gateways SET networks = '{}' WHERE name = 'gw1'", ()),
    "a list of something else": ("UPDATE gateways SET networks = '[1]' WHERE name = 'gw1'", ()),
    "deep JSON": ("UPDATE gateways SET networks = ? WHERE name = 'gw1'", ("[" * 100_000,)),
    "a number that is a text": ("UPDATE gateways SET revision = 'many' WHERE name = 'gw1'", ()),
    "a number that is huge": ("UPDATE gateways SET revision = ? WHERE name = 'gw1'", (2**63 - 1,)),
    "a negative number": ("UPDATE gateways SET revision = -1 WHERE name = 'gw1'", ()),
    "a truth that is none": ("UPDATE gateways SET revoked = 'perhaps' WHERE name = 'gw1'", ()),
    "a text that is bytes": ("UPDATE gateways SET endpoint = ? WHERE name = 'gw1'", (b"\xff\x00",)),
    "a text that cannot be decoded": ("UPDATE gateways SET endpoint = CAST(x'ff41' AS TEXT) WHERE name = 'gw1'", ()),
    "a signature that is none": ("UPDATE keys SET signature = x'00' WHERE gateway = 'gw1'", ()),
    "a serial that is none": ("UPDATE keys SET serial = 'first' WHERE gateway = 'gw1' AND serial = 1", ()),
    "a lock owner that is none": ("UPDATE rotations SET holder = '[]' WHERE gateway = 'gw1'", ()),
    "a rotation without a number": ("UPDATE rotations SET id = ? WHERE gateway = 'gw1'", (2**62,)),
}
"""What no version of this program ever wrote to a record of gw1. Each makes that gateway tampered, and nothing else."""


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_row_is_the_trouble_of_its_gateway_alone(rotating: Directory, name: str) -> None:
    statement, values = STRANGE[name]
    own = rotating.entry("gw1")["current"]
    tamper(rotating, statement, *values)
    found = rotating.read()
    assert {one["gateway"] for one in found["directory"]["tampered"]} == {"gw1"}
    assert list(found["directory"]["gateways"]) == ["gw2", "gw3"]
    rotating.refused("tampered", "prepared", gateways=names("gw1"))
    stage(rotating, "gw2", ("gw3",))
    result = rotating.write(gateways=[gateway("gw1", own)], repair=True)
    assert result["directory"]["tampered"] == rotating.read()["directory"]["tampered"] == []
    stage(rotating, "gw1", ("gw2", "gw3"))


def test_an_identity_that_is_none(rotating: Directory) -> None:
    tamper(rotating, "UPDATE directory_keys SET public_key = x'00'")
    with pytest.raises(VpnKeysError, match=r"not a record of vpnops\.keys") as caught:
        rotating.read()
    assert caught.value.code == "tampered"


@pytest.mark.parametrize("table", ["acknowledgements", "marks"])
def test_a_strange_acknowledgement_is_the_trouble_of_its_peer_alone(rotating: Directory, table: str) -> None:
    own = rotating.entry("gw2")["current"]
    tamper(rotating, f"UPDATE {table} SET revision = 'all' WHERE peer = 'gw2'")
    found = rotating.read()
    assert found["directory"]["tampered"] == [{"gateway": "gw2", "serial": None, "what": "acknowledgement"}]
    assert list(found["learned"]) == ["gw1", "gw3"]
    result = rotating.acknowledge("gw1", "gw2", "gw3", role="staged")
    assert [one["peer"] for one in result["ignored"]] == ["gw2"]
    result = rotating.write(gateways=[gateway("gw2", own)], repair=True)
    assert result["directory"]["tampered"] == rotating.read()["directory"]["tampered"] == []
    assert pending(result)["gw2"] == ["gw1", "gw3"], "it is told everything again"
    rotating.acknowledge("gw1", "gw2", role="staged")


def test_strange_events_are_shown_as_far_as_they_can_be(rotating: Directory) -> None:
    tamper(rotating, "UPDATE events SET details = 'rubbish', why = ?, outcome = x'00'", "\x1b[2J")
    found = rotating.read(events_limit=1)
    (event,) = found["events"]
    assert (event["details"], event["why"], event["outcome"]) == (None, "\\x1b[2J", None)
    assert found["directory"]["tampered"] == [{"gateway": None, "serial": None, "what": "events"}]


Step = tuple[str, Data]
GW2: Data = {"gateways": names("gw2")}
PREPARED: Step = ("prepared", GW2)
STAGED_KEY = acknowledgements("gw2", "gw1", "gw3", role="staged")
STAGED: Step = (
    "staged",
    {
        **GW2,
        "keys": [{"gateway": "gw2", "public_key": new_key()}],
        "acknowledgements": STAGED_KEY,
        "minimum_share": 50,
    },
)
MOVED: Step = ("present", {"gateways": [gateway("gw2", endpoint="192.0.2.9:1")]})
ACTIVE: Step = ("active", GW2)
WORK: dict[str, tuple[Step, ...]] = {
    "enroll": (("present", {"gateways": [gateway("gw4", new_key())]}),),
    "update": (MOVED,),
    "acknowledge": (MOVED, ("present", {"acknowledgements": acknowledgements("gw2", "gw1", "gw3", "gw9")})),
    "learned": (MOVED, ("present", {"learned": [{"peer": name, "revision": 5} for name in ("gw1", "gw3", "gw9")]})),
    "prepared": (PREPARED,),
    "emergency": (("prepared", {**GW2, "mode": "emergency"}),),
    "staged": (PREPARED, STAGED),
    "active": (PREPARED, STAGED, ACTIVE),
    "verified": (PREPARED, STAGED, ACTIVE, ("verified", GW2)),
    "retired": (PREPARED, STAGED, ACTIVE, ("verified", GW2), ("retired", GW2)),
    "rolled_back": (PREPARED, STAGED, ("rolled_back", GW2)),
    "revoked": (("revoked", GW2),),
    "lost": (("revoked", {**GW2, "lost": True}),),
    "gateway retired": (("gateway_retired", GW2),),
    "renamed": (("renamed", {"gateways": [{"name": "gw2", "new_name": "berlin"}]}),),
    "rekeyed": (("rekeyed", {}),),
}
FILES = ["directory.db", "directory.db.key", "directory.db.key.witness"]
SOME = ["key", "no signature of its own key", "revoked", "endpoint", "rotation"]
SOME_STRANGE = ["no JSON", "a serial that is none", "a number that is huge", "a text that cannot be decoded"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    directory = Directory(f"sqlite:///{folder}/directory.db", folder / "directory.db.key")
    mesh(directory)
    stage(directory)
    return folder


@pytest.fixture
def copied(template: Path, directory: Directory) -> Directory:
    """As `rotating`, and made faster."""
    shutil.copytree(template, directory.key_path.parent, dirs_exist_ok=True)
    return directory


def test_all_work_is_in_the_table() -> None:
    """But the end of records: a peer that was tampered with may still accept what nobody would know of then."""
    assert {steps[-1][0] for steps in WORK.values()} == {*states.STATES, "rekeyed"} - {"purged"}


@pytest.mark.parametrize("how", [*SOME, *SOME_STRANGE])
@pytest.mark.parametrize("work", WORK)
def test_work_on_one_gateway_goes_on_while_another_is_tampered_with(copied: Directory, work: str, how: str) -> None:
    *before, (state, given) = WORK[work]
    for step, options in before:
        copied.change(step, **options)
    statement, values = {**{name: one[:2] for name, one in TAMPERINGS.items()}, **STRANGE}[how]
    tamper(copied, statement, *values)
    result = copied.write(state, **given)
    assert result["changed"]
    assert "gw1" in {one["gateway"] for one in result["directory"]["tampered"]}
    assert {"berlin" if state == "renamed" else "gw2", "gw3"} <= result["directory"]["gateways"].keys()
    if state != "rekeyed":
        assert not copied.change(state, **given).changed


def test_a_removed_key_is_missed(rotating: Directory) -> None:
    rotating.write("active", gateways=names("gw1"))
    tamper(rotating, "DELETE FROM keys WHERE gateway = 'gw1' AND state = 'current'")
    found = rotating.read()
    assert found["directory"]["tampered"] == [
        {"gateway": "gw1", "serial": 2, "what": "key"},
        {"gateway": "gw1", "serial": None, "what": "no current key"},
    ]
    assert "gw1" not in [one["name"] for one in found["peers"]]


# -- the trust anchor


def public_pem(directory: Directory) -> str:
    key = key_file.read(str(directory.key_path))
    assert key
    body = base64.b64encode(signing.public_der(key)).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"


def test_readers_without_the_signing_key(directory: Directory) -> None:
    mesh(directory)
    pem = public_pem(directory)
    mark = directory.read()["directory"]["key_fingerprint"]
    whole = directory.read()
    directory.key_path.rename(directory.key_path.with_name("elsewhere"))
    body = pem.splitlines()[1]
    wrapped = pem.replace(body, f"{body[:40]}\n{body[40:]}")
    for given in (pem, wrapped, body, mark, mark.upper(), f" {mark}\n"):
        assert directory.read(verify_key=given) == whole
    with pytest.raises(VpnKeysError, match="No signing key is set") as caught:
        directory.read()
    assert caught.value.code == "bad_input"
    with pytest.raises(VpnKeysError, match="is not signed by the key that is trusted") as caught:
        directory.read(verify_key="0" * 64)
    assert caught.value.code == "tampered"


def public_text(key: ed448.Ed448PublicKey | rsa.RSAPublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


# From `openssl ecparam -name secp112r1 -genkey | openssl ec -pubout`: cryptography does not know the curve.
RARE_CURVE = """-----BEGIN PUBLIC KEY-----
MDIwEAYHKoZIzj0CAQYFK4EEAAYDHgAE1Sr8HN3j4iMnfyxQ7rcWONmnfF5jN2ur
6pILCw==
-----END PUBLIC KEY-----
"""
NO_ANCHORS = {
    "rubbish": "rubbish",
    "not ASCII": "ü" * 64,
    "half a fingerprint": "0" * 32,
    "of another kind": public_text(ed448.Ed448PrivateKey.generate().public_key()),
    "RSA": public_text(rsa.generate_private_key(65537, 1024).public_key()),
    "of a rare curve": RARE_CURVE,
    "with something in it": "MCowBQYDK2VwAyEA+/xNgT0JfpL9DJnj!uAOm/5LEB4P5HdFkiVyoeEvNBp4=",
    "with something behind it": "MCowBQYDK2VwAyEA+/xNgT0JfpL9DJnjuAOm/5LEB4P5HdFkiVyoeEvNBp4AAA==",
}


@pytest.mark.parametrize("name", NO_ANCHORS)
def test_what_is_no_key_of_a_directory(directory: Directory, name: str) -> None:
    mesh(directory)
    with pytest.raises(VpnKeysError) as caught:
        directory.read(verify_key=NO_ANCHORS[name])
    assert caught.value.code == "bad_input"
    assert str(caught.value) == (
        "verify_key is neither the fingerprint nor the Ed25519 public key (PEM, or base64 DER) of a directory. "
        "Nothing was read."
    )


def test_a_key_as_text(directory: Directory) -> None:
    pem = signing.to_pem(signing.new_private_key())
    directory.options |= {"signing_key": pem, "signing_key_path": None}
    mesh(directory)
    assert not directory.key_path.exists()
    other = signing.to_pem(signing.new_private_key())
    sentence = directory.refused("signing_key", gateways=[gateway("gw4", new_key())], signing_key=other)
    assert "give the key of this directory" in sentence
    assert "PRIVATE" not in sentence
    sentence = directory.refused("bad_input", "rekeyed")
    assert "new_signing_key" in sentence
    before = directory.read()["directory"]["key_fingerprint"]
    assert directory.write("rekeyed", new_signing_key=other)["changed"]
    assert not directory.write("rekeyed", new_signing_key=other)["changed"]
    directory.options["signing_key"] = other
    assert directory.read()["directory"]["key_fingerprint"] != before
    assert directory.read(verify_key=before)["directory"]["tampered"] == []


def private_text(
    key: ed448.Ed448PrivateKey | ed25519.Ed25519PrivateKey | x25519.X25519PrivateKey,
    protection: serialization.KeySerializationEncryption | None = None,
) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection or serialization.NoEncryption()
    ).decode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rubbish", "it is not the PEM of an unencrypted private key"),
        (
            private_text(signing.new_private_key(), serialization.BestAvailableEncryption(b"cisco123")),
            "it is not the PEM of an unencrypted private key",
        ),
        (private_text(ed448.Ed448PrivateKey.generate()), "it is not an Ed25519 key"),
        (private_text(x25519.X25519PrivateKey.generate()), "it is not an Ed25519 key"),
    ],
    ids=["rubbish", "encrypted", "of another kind", "of a gateway"],
)
def test_what_is_no_signing_key(directory: Directory, text: str, why: str) -> None:
    sentence = f"signing_key cannot be used: {why}. Nothing was changed."
    assert directory.refused("signing_key", gateways=[gateway("gw1", new_key())], signing_key=text) == sentence


def broken(directory: Directory, how: str) -> None:
    path = directory.key_path
    if how == "missing":
        path.unlink()
    elif how == "open to others":
        path.chmod(0o640)
    elif how == "another":
        key_file.write(str(path), signing.new_private_key())
    else:
        path.write_text("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")


@pytest.mark.parametrize("how", ["missing", "open to others", "another", "damaged"])
def test_a_signing_key_that_cannot_be_used(directory: Directory, how: str) -> None:
    mesh(directory)
    anchor = directory.read()["directory"]["key_fingerprint"]
    before = directory.read(verify_key=anchor)
    broken(directory, how)
    with pytest.raises(VpnKeysError, match="Nothing was changed") as caught:
        directory.write(gateways=[gateway("gw4", new_key())])
    assert caught.value.code == "signing_key"
    assert str(directory.key_path) in str(caught.value) or how == "another"
    assert "c2VjcmV0" not in str(caught.value)
    assert directory.read(verify_key=anchor) == before


def test_the_files_are_their_owners_alone(directory: Directory) -> None:
    before = os.umask(0)
    try:
        mesh(directory)
    finally:
        os.umask(before)
    path = directory.url.removeprefix("sqlite:///")
    assert os.stat(path).st_mode & 0o777 == os.stat(directory.key_path).st_mode & 0o777 == 0o600


# -- a new key of the directory


def test_rekeyed(rotating: Directory) -> None:
    before = rotating.read()
    old = before["directory"]["key_fingerprint"]
    predicted = rotating.write("rekeyed", check=True)
    assert predicted["changed"]
    assert rotating.read() == before
    result = rotating.write("rekeyed")
    assert result["directory"]["key_fingerprint"] != old
    after = rotating.read()
    assert after["peers"] == before["peers"]
    assert after["directory"]["tampered"] == []
    assert after["events"][0]["what"] == "rekeyed"
    assert sorted(os.listdir(rotating.key_path.parent)) == FILES
    assert rotating.read(verify_key=old)["peers"] == before["peers"]  # signed by its predecessor
    rotating.write("rekeyed")
    assert rotating.read(verify_key=old)["peers"] == before["peers"]
    rotating.write("active", gateways=names("gw1"))


def test_tampered_records_are_not_signed_anew(rotating: Directory) -> None:
    tamper(rotating, "UPDATE gateways SET endpoint = '198.51.100.66:51820' WHERE name = 'gw1'")
    before = rotating.read()["directory"]["tampered"]
    rotating.write("rekeyed")
    assert rotating.read()["directory"]["tampered"] == before


def test_a_key_that_somebody_else_put_into_the_database(rotating: Directory) -> None:
    evil = signing.new_private_key()
    row = signing.key_row(2, signing.public_der(evil), "2026-11-22T03:12:45Z", evil, "x")
    tamper(
        rotating,
        "INSERT INTO directory_keys (id, public_key, fingerprint, since, signature) VALUES (?, ?, ?, ?, ?)",
        *(row[name] for name in ("id", "public_key", "fingerprint", "since", "signature")),
    )
    with pytest.raises(VpnKeysError, match="is not signed by the key") as caught:
        rotating.read()
    assert caught.value.code == "tampered"
    with pytest.raises(VpnKeysError, match="Nothing was changed"):
        rotating.write("active", gateways=names("gw1"))


class Killed(Exception):
    pass


def killing(_first: object, *_rest: object) -> None:
    raise Killed


@pytest.mark.parametrize(
    "what", [(key_file, "write"), (store, "rekey"), (store, "log"), (key_file, "move")], ids=lambda one: one[1]
)
def test_cut_short_while_rekeying(
    rotating: Directory, monkeypatch: pytest.MonkeyPatch, what: tuple[object, str]
) -> None:
    before = rotating.read()
    real: Callable[..., None] = getattr(*what)
    monkeypatch.setattr(*what, lambda *given: real(*given) if str(given[0]).endswith(".partial") else killing(given))
    with pytest.raises(Killed):
        rotating.write("rekeyed")
    monkeypatch.undo()
    assert rotating.read()["peers"] == before["peers"]
    pending = rotating.key_path.with_name("directory.db.key.new")
    left = pending.read_text() if pending.exists() else None
    result = rotating.write("rekeyed")
    assert result["changed"]
    assert not pending.exists()
    if left:
        assert rotating.key_path.read_text() == left  # the key that was made first, and no third one
    assert len([one for one in rotating.read()["events"] if one["what"] == "rekeyed"]) == 1
    assert result["directory"]["key_fingerprint"] != before["directory"]["key_fingerprint"]


def test_any_writer_finishes_a_rekeying(rotating: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "move", lambda path, to: os.replace(path, to) if "partial" in path else killing(to))
    with pytest.raises(Killed):
        rotating.write("rekeyed")
    monkeypatch.undo()
    rotating.write("active", gateways=names("gw1"))
    assert sorted(os.listdir(rotating.key_path.parent)) == FILES


def test_a_key_that_cannot_be_renamed(rotating: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str, to: str) -> None:
        if not path.endswith(".partial"):
            raise PermissionError(13, "Permission denied")
        os.replace(path, to)

    monkeypatch.setattr(key_file, "move", refused)
    with pytest.raises(VpnKeysError, match="the next run that can write there finishes it") as caught:
        rotating.write("rekeyed")
    assert caught.value.code == "signing_key"
    monkeypatch.undo()
    assert rotating.read()["directory"]["tampered"] == []
    rotating.write("active", gateways=names("gw1"))


# -- what is signed

DIRECTORY = "6f1c2c0e-8a51-4f0b-9d43-2f5d0c6b7a10"
FIRST_KEY: Data = {
    "id": 1,
    "public_key": "MCowBQYDK2VwAyEA+/xNgT0JfpL9DJnjuAOm/5LEB4P5HdFkiVyoeEvNBp4=",
    "fingerprint": "0e4928ae256a6d6ebdb9a21899c042a9b7c74105ee7296db58e10eb0449ec1c8",
    "since": "2026-11-22T03:12:45Z",
    "retired_at": "2026-11-23T03:12:45Z",
    "signature": "1h5NOl1ERlZ/OYTbGSTYvfHSrEZMIdM+TK6XLbXs0HN+MyHTQbv2o1bydqtTKi7KtofeM9ENni7bOh2m/W80Cg==",
}
SECOND_KEY: Data = {
    "id": 2,
    "public_key": "MCowBQYDK2VwAyEAS9SKmWaDt8xRY3cmE56a8++0z3HmTDifxxo/cEw39/o=",
    "fingerprint": "b58058fb453157c7026395fcbbc28bbfb2df1def4e1bded3a8fbe61ab80fee4e",
    "since": "2026-11-23T03:12:45Z",
    "retired_at": None,
    "signature": "EbmjjMfzzdWGvK1KHF+ELbwmFIHk0qkyLHc85mt0kkzCv8IH/pQrFZpyeY/yheBe06+y+dFx24u7ZKvjT36JDQ==",
}
GATEWAY: Data = {
    "name": "gw1",
    "platform": "wireguard",
    "algorithm": "x25519",
    "identity": None,
    "endpoint": "gw1.example.net:51820",
    "networks": ["10.79.1.0/24"],
    "enrolled_at": "2026-11-22T03:12:45Z",
    "enrolled_by": "Zoë",
    "revoked": False,
    "revision": 3,
    "signature": "GEZLvZ+1v1zIOFzX5pWMP9TFhxcXIvWaLemq5++nP6+N/yFoksPMkvRuF5wp1E83l3qYeRa49VueBmo2PwuWAA==",
}
SECOND_DER = base64.b64decode(SECOND_KEY["public_key"])


def test_what_was_signed_in_2026_still_verifies() -> None:
    """Signatures outlive the version that made them. Their private keys were thrown away."""
    rows = [SECOND_KEY, FIRST_KEY]
    assert signing.trusted_key(rows, DIRECTORY, FIRST_KEY["fingerprint"]) == SECOND_DER
    assert signing.trusted_key(rows, DIRECTORY, SECOND_KEY["fingerprint"]) == SECOND_DER
    assert signing.verifies(SECOND_DER, "gateway", DIRECTORY, GATEWAY)
    assert signing.verifies(SECOND_DER, "gateway", DIRECTORY, dict(reversed(GATEWAY.items())))


@pytest.mark.parametrize(
    ("rows", "trusted"),
    [
        ([FIRST_KEY, SECOND_KEY], "0" * 64),
        ([FIRST_KEY, {**SECOND_KEY, "since": FIRST_KEY["since"]}], FIRST_KEY["fingerprint"]),
        ([FIRST_KEY, {**SECOND_KEY, "public_key": FIRST_KEY["public_key"]}], FIRST_KEY["fingerprint"]),
        ([FIRST_KEY, {**SECOND_KEY, "public_key": "rubbish!"}], FIRST_KEY["fingerprint"]),
        ([{**FIRST_KEY, "public_key": "!" + FIRST_KEY["public_key"]}], FIRST_KEY["fingerprint"]),
        ([FIRST_KEY, SECOND_KEY, {**SECOND_KEY, "id": 3}], FIRST_KEY["fingerprint"]),
    ],
    ids=["another directory", "another time", "another key", "rubbish", "something before it", "signed twice"],
)
def test_no_key_is_trusted_that_nobody_trusted_signed(rows: list[Data], trusted: str) -> None:
    assert signing.trusted_key(rows, DIRECTORY, trusted) is None


@pytest.mark.parametrize(
    "signature",
    [
        "",
        GATEWAY["signature"][:10] + "!" + GATEWAY["signature"][10:],
        GATEWAY["signature"][:-2],
        FIRST_KEY["signature"],
        None,
    ],
)
def test_what_is_no_signature(signature: object) -> None:
    assert not signing.verifies(SECOND_DER, "gateway", DIRECTORY, {**GATEWAY, "signature": signature})


def test_no_record_is_signed_with_a_key_of_another_kind() -> None:
    key = ed448.Ed448PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    signature = base64.b64encode(key.sign(signing.signed_bytes("gateway", DIRECTORY, GATEWAY, 1))).decode()
    assert not signing.verifies(public, "gateway", DIRECTORY, {**GATEWAY, "signature": signature})
