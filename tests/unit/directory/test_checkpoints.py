# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checkpoints: in the format that others verify, and nothing of a directory changes without one."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import typing as t
from contextlib import closing
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import strategies as st
from unit.directory.samples import Data, Directory, acknowledgements, gateway, mesh, names, new_key, pending, stage
from unit.effort import examples

from ansible_collections.vpnops.keys.plugins.module_utils import _checkpoint, _tampered
from ansible_collections.vpnops.keys.plugins.module_utils._directory import (
    checkpoint,
    database,
    merkle,
    note,
    schema,
    seal,
    signing,
)
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError

# -- the formats

# The reference inputs and roots of Certificate Transparency (RFC 6962), for trees of one to eight leaves.
INPUTS = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_the_tree_is_that_of_rfc_6962(size: int) -> None:
    leaves = [merkle.leaf(bytes.fromhex(one)) for one in INPUTS[:size]]
    assert merkle.root(leaves).hex() == ROOTS[size]


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word by word."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + by_definition(leaves[:split]) + by_definition(leaves[split:])).digest()


def test_the_tree_of_any_size_is_that_of_the_definition() -> None:
    leaves = [merkle.leaf(bytes([number])) for number in range(200)]
    for size in range(len(leaves)):
        assert merkle.root(leaves[:size]) == by_definition(leaves[:size])


# From the documentation of golang.org/x/mod/sumdb/note, which reads what is signed here.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
GO_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]


def test_notes_are_those_of_other_programs() -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(GO_SEED)
    text = GO_NOTE.split("\n\n", maxsplit=1)[0] + "\n"
    assert note.sign(text, "PeterNeumann", key) == GO_NOTE
    assert note.opened(GO_NOTE, "PeterNeumann", key.public_key()) == text
    assert note.verifier_key("PeterNeumann", note.raw(key.public_key())) == GO_KEY
    cosigned = GO_NOTE + "\u2014 witness.example " + base64.b64encode(bytes(68)).decode() + "\n"
    assert note.opened(cosigned, "PeterNeumann", key.public_key()) == text


NO_NOTES = {
    "another text": GO_NOTE.replace("answer", "Answer"),
    "another name": GO_NOTE.replace("PeterNeumann", "Somebody"),
    "another signature": GO_NOTE.replace("ZJku", "ZJkv"),
    "another number of the key": GO_NOTE.replace(" x08go/", " y08go/"),
    "no empty line": GO_NOTE.replace("\n\n", "\n"),
    "no last newline": GO_NOTE[:-1],
    "no dash": GO_NOTE.replace("\u2014", "-"),
    "no base64": GO_NOTE.replace("x08go/", "x08go!"),
    "something behind it": GO_NOTE + "more\n",
    "nothing": "",
}


@pytest.mark.parametrize("how", NO_NOTES)
def test_what_is_no_signed_note(how: str) -> None:
    public = ed25519.Ed25519PrivateKey.from_private_bytes(GO_SEED).public_key()
    assert note.opened(NO_NOTES[how], "PeterNeumann", public) is None


def signing_key(directory: Directory) -> ed25519.Ed25519PrivateKey:
    return signing.from_pem(directory.key_path.read_text())


def test_a_checkpoint_is_verified_by_another_program(directory: Directory) -> None:
    """aics-tlog knows nothing of this collection: it reads signed notes and checkpoints of transparency logs."""
    tlog = pytest.importorskip("aics_tlog", reason="aics-tlog needs Python 3.12")
    mesh(directory)
    shown = directory.read()["directory"]
    public = note.raw(signing_key(directory).public_key())
    vkey = note.verifier_key(f"vpnops.keys/{shown['id']}", public)
    signed = tlog.parse_note(shown["checkpoint"]["note"])
    result = tlog.verify_checkpoint(signed, tlog.parse_vkey(vkey), [], quorum=0)
    assert result.ok, result
    read = tlog.parse_checkpoint(signed.text)
    assert (read.origin, read.size) == (f"vpnops.keys/{shown['id']}", shown["checkpoint"]["size"])
    assert read.root.hex() == shown["checkpoint"]["root"]
    forged = tlog.parse_note(shown["checkpoint"]["note"].replace("\nnumber ", "\nnumber 1"))
    assert not tlog.verify_checkpoint(forged, tlog.parse_vkey(vkey), [], quorum=0).ok


def test_the_root_is_that_of_the_leaves_as_another_program_hashes_them(directory: Directory) -> None:
    tlog = pytest.importorskip("aics_tlog", reason="aics-tlog needs Python 3.12")
    mesh(directory)
    shown = directory.read()["directory"]["checkpoint"]
    data = [b"%d" % number for number in range(11)]
    assert merkle.root([merkle.leaf(one) for one in data]) == tlog.MerkleTree(data).root()
    with closing(sqlite3.connect(path_of(directory))) as connection:
        hashes = [bytes.fromhex(one) for (one,) in connection.execute("SELECT hash FROM leaves ORDER BY place")]
    assert (len(hashes), by_definition(hashes).hex()) == (shown["size"], shown["root"])


@pytest.mark.parametrize("text", ["", "vpnops.keys/x\n1\n", "another/x\n1\n" + "A" * 43 + "=\n"])
def test_what_is_no_checkpoint(text: str) -> None:
    assert _checkpoint.parse(text) is None


def test_a_checkpoint_says_what_it_was_given() -> None:
    one = checkpoint.following(None, "x", 3, bytes(range(32)), "2026-11-22T03:12:45Z")
    assert _checkpoint.parse(_checkpoint.text(one)) == one
    assert (one.number, one.expires) == (1, "2026-12-22T03:12:45Z")
    two = checkpoint.following(one, "x", 4, bytes(32), "2026-11-23T03:12:45Z", at_least=7)
    assert (two.number, two.previous) == (8, one.root)


# -- every change has one


def path_of(directory: Directory) -> str:
    return directory.url.removeprefix("sqlite:///")


def checkpoint_of(directory: Directory) -> Data:
    return t.cast(Data, directory.read()["directory"]["checkpoint"])


def test_every_change_has_the_next_number_and_names_the_root_before(directory: Directory) -> None:
    directory.write(gateways=[gateway("gw1", new_key())])
    before = checkpoint_of(directory)
    assert before["number"] == 1
    steps: tuple[tuple[str, Data], ...] = (
        ("present", {"gateways": [gateway("gw2", new_key())]}),
        ("present", {"acknowledgements": acknowledgements("gw2", "gw1")}),
        ("present", {"events": [{"what": "looked"}]}),
        ("prepared", {"gateways": names("gw1")}),
        ("rekeyed", {}),
        ("revoked", {"gateways": names("gw1"), "lost": True}),
    )
    for state, given in steps:
        result = directory.write(state, **given)
        after = checkpoint_of(directory)
        assert result["directory"]["checkpoint"] == after
        assert (after["number"], after["previous"]) == (before["number"] + 1, before["root"])
        assert after["root"] != before["root"]
        assert not directory.write(state, **given)["changed"] or state in ("rekeyed", "present")
        before = checkpoint_of(directory)


def test_nothing_changes_without_work(directory: Directory) -> None:
    mesh(directory)
    before = checkpoint_of(directory)
    for _again in range(2):
        assert not directory.write(gateways=[gateway("gw1")])["changed"]
        assert directory.write("prepared", check=True, gateways=names("gw1"))["changed"]
        assert checkpoint_of(directory) == before


def test_an_earlier_rotation_stays_in_the_history(directory: Directory) -> None:
    mesh(directory)
    for _again in range(3):
        stage(directory)
        directory.write("rolled_back", gateways=names("gw1"))
    found = [(one["id"], one["state"]) for one in directory.read()["rotations"]]
    assert found == [(n, "rolled_back") for n in (3, 2, 1)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@hypothesis.settings(max_examples=examples(200), deadline=None)
@hypothesis.given(st.lists(JSON, max_size=6))
def test_what_is_hashed_is_json_in_its_one_form(values: list[t.Any]) -> None:
    assert seal.encode(values) == json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def test_a_place_is_json() -> None:
    row = {"gateway": 'a"\\\u00fc\n', "serial": 7, "id": 1, "peer": "", "name": "gw1"}
    for table, (fields, _values) in seal.LEAVES.items():
        assert json.loads(seal.place(table, row)) == [table, *(row[name] for name in fields)]


# -- somebody has the database, and no signing key


class Life(t.NamedTuple):
    directory: Directory
    past: tuple[Path, ...]
    """Copies of the database as it was after each step, oldest first."""


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """A directory with rows in every table, and its past."""
    folder = tmp_path_factory.mktemp("lived")
    directory = Directory(f"sqlite:///{folder}/directory.db", folder / "directory.db.key")
    past: list[Path] = []

    def done() -> None:
        past.append(folder / f"past{len(past)}.db")
        shutil.copy(path_of(directory), past[-1])

    mesh(directory)
    done()
    directory.write("revoked", gateways=names("gw3"), lost=True)
    directory.acknowledge("gw3", "gw1", role="withdrawn")
    done()
    directory.write(gateways=[gateway("gw4", new_key())])
    stage(directory, "gw1", ("gw2", "gw4"))
    done()
    directory.write("active", gateways=names("gw1"))
    directory.write("verified", gateways=names("gw1"))
    directory.write("retired", gateways=names("gw1"))
    directory.write("rekeyed")
    done()
    directory.write("prepared", gateways=names("gw2"))
    directory.write("staged", keys=[{"gateway": "gw2", "public_key": new_key()}])
    directory.acknowledge("gw2", "gw1", role="staged", state="staged", gateways=names("gw2"), minimum_share=10)
    done()
    assert directory.read()["directory"]["tampered"] == []
    return Life(directory, tuple(past))


@pytest.fixture
def attacked(lived: Life, tmp_path: Path) -> Directory:
    folder = lived.directory.key_path.parent
    for file in folder.iterdir():
        if not file.name.startswith("past"):
            shutil.copy(file, tmp_path / file.name)
    return Directory(f"sqlite:///{tmp_path}/directory.db", tmp_path / "directory.db.key")


TABLES = (
    *("directory", "directory_keys", "gateways", "keys", "rotations", "marks", "acknowledgements"),
    *("events", "leaves", "checkpoints"),
)


def test_all_tables_are_attacked(lived: Life) -> None:
    with closing(sqlite3.connect(path_of(lived.directory))) as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for name in found:
            (count,) = connection.execute(f"SELECT count(*) FROM {name}").fetchone()
            assert count, f"no row of {name} is attacked"
    assert found == {*TABLES, "alembic_version"}


Change = tuple[str, tuple[object, ...]]


def deletions(connection: sqlite3.Connection, table: str) -> t.Iterator[Change]:
    for (row,) in connection.execute(f"SELECT rowid FROM {table}").fetchall():
        yield f"DELETE FROM {table} WHERE rowid = ?", (row,)


def alterations(connection: sqlite3.Connection, table: str) -> t.Iterator[Change]:
    """Each value of each row becomes another one, one after the other."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    for number, *row in connection.execute(f"SELECT rowid, * FROM {table}").fetchall():
        for name, value in zip(columns, row, strict=True):
            others: list[object] = [value + 1] if isinstance(value, int) else [None] if value else ["x", b"x"]
            others += [f"{value}x", "x" + value[1:]] if isinstance(value, str) else []
            for other in others:
                yield f'UPDATE OR IGNORE {table} SET "{name}" = ? WHERE rowid = {number}', (other,)


def replays(connection: sqlite3.Connection, table: str, past: tuple[Path, ...]) -> t.Iterator[Change]:
    """Each row that is gone now, or was another one, put back."""
    now = set(map(repr, connection.execute(f"SELECT * FROM {table}")))
    for file in past:
        with closing(sqlite3.connect(file)) as old:
            for row in old.execute(f"SELECT * FROM {table}").fetchall():
                if repr(row) not in now:
                    yield f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row


def named(directory: Directory) -> bool:
    """Whether the directory says that somebody wrote to it."""
    try:
        return bool(directory.read(events_limit=1)["directory"]["tampered"])
    except VpnKeysError as error:
        return error.code == "tampered"


ATTACKS: dict[str, t.Callable[[sqlite3.Connection, str, tuple[Path, ...]], t.Iterator[Change]]] = {
    "deleted": lambda connection, table, _past: deletions(connection, table),
    "altered": lambda connection, table, _past: alterations(connection, table),
    "replayed": replays,
}
MOST = 60
"""So many changes of each table are tried in a run, chosen anew each time."""


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.timeout(300)
def test_whatever_somebody_does_to_any_row_is_named(
    lived: Life, attacked: Directory, attack: str, table: str
) -> None:
    """No witness helps here."""
    with closing(sqlite3.connect(path_of(attacked))) as connection:
        found = list(ATTACKS[attack](connection, table, lived.past))
    assert found or (attack, table) in {("replayed", "events"), ("replayed", "checkpoints")}, "they only grow"
    for statement, values in random.sample(found, min(MOST, len(found))):
        shutil.copy(path_of(lived.directory), path_of(attacked))
        Path(f"{attacked.key_path}.witness").unlink(missing_ok=True)
        with closing(sqlite3.connect(path_of(attacked))) as connection:
            before = list(connection.iterdump())
            connection.execute(statement, values)
            connection.commit()
            same = list(connection.iterdump()) == before
        assert same or named(attacked), (statement, values)


def test_nobody_takes_a_revoked_gateway_back_by_its_old_rows(lived: Life, attacked: Directory) -> None:
    """All that was signed of it before, row by row, as it was."""
    with closing(sqlite3.connect(path_of(attacked))) as connection:
        connection.execute("ATTACH ? AS old", (str(lived.past[0]),))
        for table, name in (("gateways", "name"), ("keys", "gateway"), ("marks", "peer")):
            connection.execute(f"DELETE FROM main.{table} WHERE {name} = 'gw3'")
            connection.execute(f"INSERT INTO main.{table} SELECT * FROM old.{table} WHERE {name} = 'gw3'")
        connection.commit()
    found = attacked.read()
    assert {one["gateway"] for one in found["directory"]["tampered"]} == {"gw3"}
    assert "gw3" not in [one["name"] for one in found["peers"]]
    attacked.refused("tampered", "prepared", gateways=names("gw3"))
    own = key_in(attacked, "gw3")
    refused = attacked.refused("refused", gateways=[gateway("gw3", own)], repair=True)
    assert refused.startswith("gw3 is revoked as lost"), "its events say so, whatever its records say"
    attacked.write("prepared", gateways=names("gw4"))  # the others go on
    assert {one["gateway"] for one in attacked.read()["directory"]["tampered"]} == {"gw3"}


def test_a_gateway_that_was_removed_is_not_enrolled_as_a_new_one(attacked: Directory) -> None:
    own = attacked.entry("gw4")["current"]
    with closing(sqlite3.connect(path_of(attacked))) as connection:
        for table, name in (("keys", "gateway"), ("marks", "peer"), ("acknowledgements", "peer"), ("gateways", "name")):
            connection.execute(f"DELETE FROM {table} WHERE {name} = 'gw4'")
        connection.commit()
    assert {"gateway": "gw4", "serial": 1, "what": "key"} in attacked.read()["directory"]["tampered"]
    attacked.refused("tampered", gateways=[gateway("gw4", own)])
    attacked.refused("tampered", "prepared", gateways=names("gw4"))
    attacked.write(gateways=[gateway("gw4", own)], repair=True)
    assert attacked.read()["directory"]["tampered"] == []
    assert attacked.states("gw4") == {2: "current"}, "the serial of a key that was removed stays taken"


def test_the_number_of_a_rotation_that_was_removed_is_never_that_of_another(directory: Directory) -> None:
    mesh(directory)
    own = key_in(directory, "gw1")
    directory.write("prepared", gateways=names("gw1"))
    with closing(sqlite3.connect(path_of(directory))) as connection:
        connection.execute("DELETE FROM rotations")
        connection.commit()
    assert directory.read()["directory"]["tampered"] == [{"gateway": "gw1", "serial": None, "what": "rotation"}]
    directory.write("prepared", gateways=names("gw2"))
    directory.write(gateways=[gateway("gw1", own)], repair=True)
    found = directory.read()
    assert found["directory"]["tampered"] == []
    assert [(one["id"], one["gateway"]) for one in found["rotations"]] == [(2, "gw2")]


@pytest.mark.parametrize(
    ("peer", "statement"),
    [
        ("gw4", "INSERT OR REPLACE INTO acknowledgements VALUES ('gw4', 'gw2', 2, 'staged', 99, '2026')"),
        ("gw1", "DELETE FROM marks WHERE peer = 'gw1'"),
    ],
    ids=["forged", "removed"],
)
def test_what_nobody_said_counts_for_nothing(attacked: Directory, peer: str, statement: str) -> None:
    """An acknowledgement that is not as it was written makes the peer a gateway that was tampered with."""
    with closing(sqlite3.connect(path_of(attacked))) as connection:
        assert connection.execute(statement).rowcount
        connection.commit()
    found = attacked.read()
    assert {"gateway": peer, "serial": None, "what": "acknowledgement"} in found["directory"]["tampered"]
    assert peer not in found["learned"]
    assert peer not in found["directory"]["gateways"]["gw2"]["rotation"]["acknowledged"]
    attacked.refused("tampered", "prepared", gateways=names(peer))
    result = attacked.write(gateways=[gateway(peer, key_in(attacked, peer))], repair=True)
    assert result["directory"]["tampered"] == attacked.read()["directory"]["tampered"] == []
    assert pending(result)[peer] == sorted({"gw1", "gw2", "gw3", "gw4"} - {peer}), "it is told everything again"


def key_in(directory: Directory, name: str) -> str:
    with closing(sqlite3.connect(path_of(directory))) as connection:
        query = "SELECT public_key FROM keys WHERE gateway = ? AND state = 'current'"
        (found,) = connection.execute(query, (name,)).fetchone()
        return str(found)


# -- the directory as a whole

WHOLE = {
    "checkpoint": "UPDATE checkpoints SET note = replace(note, 'number', 'Number')",
    "records": "DELETE FROM leaves WHERE place LIKE '%gw4%'",
    "revision": "UPDATE directory SET revision = revision - 1",
    "signing keys": "DELETE FROM directory_keys WHERE id = 1",
    "events": "DELETE FROM events WHERE what = 'gateway revoked'",
    "checkpoints": "DELETE FROM checkpoints WHERE number = 2",
}


@pytest.mark.parametrize("what", [*WHOLE, "rolled back", "two histories", "another directory"])
def test_a_directory_that_cannot_be_believed_is_refused_until_somebody_confirms_it(
    lived: Life, attacked: Directory, tmp_path: Path, what: str
) -> None:
    spoil(attacked, lived, what, tmp_path)
    found = attacked.read()
    assert {"gateway": None, "serial": None, "what": what} in found["directory"]["tampered"]
    assert (found["peers"], found["learned"], found["directory"]["gateways"]) == ([], {}, {})
    assert found["events"] or what == "another directory"
    with pytest.raises(VpnKeysError) as caught:
        attacked.read(fail_on_tampered=True)
    assert caught.value.code == "tampered"
    assert _tampered.WHOLE[what] in str(caught.value)
    steps: tuple[tuple[str, Data], ...] = (
        ("present", {"gateways": [gateway("gw9", new_key())]}),
        ("present", {"events": [{"what": "looked"}]}),
        ("present", {"learned": [{"peer": "gw1", "revision": 1}]}),
        ("prepared", {"gateways": names("gw4")}),
        ("revoked", {"gateways": names("gw4")}),
        ("rekeyed", {}),
    )
    for state, given in steps:
        assert _tampered.WHOLE[what] in attacked.refused("tampered", state, **given)
    sentence = attacked.refused("tampered", repair=True)
    assert "what peers have stored is forgotten" in sentence
    attacked.refused("tampered", repair=True, confirm="0" * 16)
    confirm = sentence.rpartition("confirm=")[2].rstrip(".")
    result = attacked.write(repair=True, confirm=confirm)
    assert result["changed"]
    assert result["events"][0]["what"] == "repaired"
    assert result["events"][0]["details"]["directory"]
    after = attacked.read(fail_on_tampered=True)
    assert after["directory"]["tampered"] == []
    assert after["events"][0]["what"] == "repaired"
    assert set(pending(after)) >= {"gw1", "gw2"}
    seen = json.loads(Path(f"{attacked.key_path}.witness").read_text())
    former = found["directory"]["checkpoint"] or {"number": 1}
    assert seen["number"] == after["directory"]["checkpoint"]["number"] > former["number"]


def spoil(directory: Directory, lived: Life, what: str, folder: Path) -> None:
    path = path_of(directory)
    if what == "rolled back":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("SELECT 1")
        shutil.copy(lived.past[-2], path)
    elif what == "two histories":
        now = checkpoint_of(directory)["number"]
        Path(f"{directory.key_path}.witness").rename(folder / "kept")
        shutil.copy(lived.past[-2], path)
        while checkpoint_of(directory)["number"] <= now:
            directory.write(events=[{"what": "another history"}])
        (folder / "kept").rename(f"{directory.key_path}.witness")
    elif what == "another directory":
        Path(f"{directory.key_path}.witness").write_text(json.dumps({"directory": "x", "number": 1, "root": "00"}))
    else:
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute(WHOLE[what]).rowcount
            connection.commit()


def test_all_that_may_be_wrong_is_tried() -> None:
    assert {*WHOLE, "rolled back", "two histories", "another directory"} == set(_tampered.WHOLE)


@pytest.mark.parametrize("how", ["no file", "an empty file", "no rows", "no revision"])
def test_an_empty_database_is_no_new_directory_where_one_was(attacked: Directory, how: str) -> None:
    path = Path(path_of(attacked))
    if how == "no file":
        path.unlink()
    elif how == "an empty file":
        path.write_bytes(b"")
    else:
        with closing(sqlite3.connect(path)) as connection:
            for table in TABLES if how == "no rows" else ("alembic_version",):
                connection.execute(f"DELETE FROM {table}")
            connection.commit()
    works: tuple[t.Callable[[], Data], ...] = (
        attacked.read,
        attacked.write,
        lambda: attacked.write(gateways=[gateway("gw1", new_key())]),
    )
    for work in works:
        with pytest.raises(VpnKeysError, match="this control node has seen the directory") as caught:
            work()
        assert caught.value.code == "tampered"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"directory": 1, "number": 2, "root": 3}', "\xff"])
def test_a_witness_that_cannot_be_read_is_no_witness_of_nothing(attacked: Directory, text: str) -> None:
    Path(f"{attacked.key_path}.witness").write_text(text, encoding="latin-1")
    with pytest.raises(VpnKeysError, match=r"cannot be read\. Nothing was changed") as caught:
        attacked.read()
    assert caught.value.code == "bad_input"


def test_the_witness_follows_and_is_its_owners_alone(directory: Directory) -> None:
    mesh(directory)
    file = Path(f"{directory.key_path}.witness")
    seen = json.loads(file.read_text())
    shown = checkpoint_of(directory)
    assert (seen["number"], seen["root"]) == (shown["number"], shown["root"])
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_text()
    directory.write("prepared", check=True, gateways=names("gw1"))
    assert file.read_text() == before
    file.unlink()
    directory.read()
    assert file.read_text() == before, "a reader remembers, too"
    elsewhere = directory.key_path.with_name("seen")
    directory.read(witness_path=str(elsewhere))
    assert elsewhere.read_text() == before


# -- killed


def test_killed_at_any_statement_chain_number_and_root_are_one(lived: Life, attacked: Directory) -> None:
    """kill -9 before the first, the second, ... statement of a step, and before the witness is written."""
    before = attacked.read()
    number, killed = before["directory"]["checkpoint"]["number"], 0
    for at in range(200):
        child = os.fork()
        if not child:
            kill_at(attacked, at)
        _pid, status = os.waitpid(child, 0)
        found = attacked.read(fail_on_tampered=True)
        assert found["directory"]["tampered"] == []
        if os.WIFEXITED(status):
            break
        killed += 1
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert found == before
    assert killed > 10
    assert found["directory"]["checkpoint"]["number"] == number + 1
    assert found["directory"]["gateways"]["gw4"]["endpoint"] == "192.0.2.4:1"


def kill_at(directory: Directory, at: int) -> t.NoReturn:
    """In a process of its own, which does not come back."""
    count = 0

    def counted(*_given: object) -> None:
        nonlocal count
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    try:
        place = database.locate(directory.url)
        sa.event.listen(database._engine(place, True, False), "before_cursor_execute", counted)
        directory.change(gateways=[gateway("gw4", endpoint="192.0.2.4:1")])
    finally:
        os._exit(0)


def test_every_column_of_every_table_is_in_a_leaf_or_a_link_or_is_the_proof_itself() -> None:
    for name in TABLES:
        columns = {column.name for column in schema.METADATA.tables[name].columns}
        if name in seal.LEAVES:
            covered = set(seal.LEAVES[name][1])
        elif name in seal.LINKS:
            covered = {*seal.LINKS[name], "hash"}
        else:
            covered = {"place", "hash"}
        assert covered == columns, name


def test_a_verifier_needs_only_the_public_key(directory: Directory) -> None:
    mesh(directory)
    shown = directory.read()["directory"]
    der = signing.public_der(signing_key(directory))
    public = serialization.load_der_public_key(der)
    assert isinstance(public, ed25519.Ed25519PublicKey)
    text = note.opened(shown["checkpoint"]["note"], f"vpnops.keys/{shown['id']}", public)
    assert text
    assert _checkpoint.parse(text)
