# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""URLs and databases that cannot be used: one sentence, no password, nothing left behind."""

from __future__ import annotations

import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from unit.directory.samples import Directory, gateway, mesh, names, new_key

from ansible_collections.vpnops.keys.plugins.module_utils._directory import database
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError

PASSWORD = "correct-horse"


@pytest.mark.parametrize(
    "url",
    ["", "rubbish", "sqlite://", "sqlite:///:memory:", f"mysql://u:{PASSWORD}@h/d", f"oracle://u:{PASSWORD}@h/d"],
)
def test_urls_that_are_none(directory: Directory, url: str) -> None:
    directory.url = url
    for work in (directory.read, directory.write):
        with pytest.raises(VpnKeysError) as caught:
            work()
        assert caught.value.code == "bad_input"
        assert PASSWORD not in str(caught.value)


def test_home_is_meant_by_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    place = database.locate("sqlite:///~/.ansible/vpnops.keys/directory.db")
    assert place.path == str(tmp_path / ".ansible/vpnops.keys/directory.db")


def test_there_is_none(directory: Directory) -> None:
    with pytest.raises(VpnKeysError, match=r"There is no directory /.*enroll_gateways") as caught:
        directory.read()
    assert caught.value.code == "not_found"
    for state in ("prepared", "rekeyed", "revoked"):
        assert "There is no directory" in directory.refused("not_found", state, gateways=names("gw1"))
    assert not directory.key_path.parent.joinpath("directory.db").exists()


def test_a_file_that_is_something_else(directory: Directory) -> None:
    path = Path(directory.url.removeprefix("sqlite:///"))
    path.write_text("this is no database" * 100)
    before = path.read_bytes()
    for work in (directory.read, directory.write):
        with pytest.raises(VpnKeysError, match=r"file is not a database\. Nothing was changed") as caught:
            work()
        assert caught.value.code == "unreachable"
    assert path.read_bytes() == before


def test_another_database(directory: Directory) -> None:
    path = directory.url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE gateways (name TEXT)")
    with pytest.raises(VpnKeysError, match="There is no directory"):
        directory.read()
    with pytest.raises(VpnKeysError, match="Nothing was changed") as caught:
        directory.write()
    assert caught.value.code == "unreachable"
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("gateways",)]


def test_somebody_keeps_writing(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh(directory)
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    with closing(sqlite3.connect(directory.url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(VpnKeysError, match="Another run has been writing") as caught:
            directory.write(gateways=[gateway("gw4", new_key())])
        assert caught.value.code == "in_use"
        assert len(directory.read()["peers"]) == 3  # readers are not in the way of writers, nor they of them


def test_a_server_that_is_not_there(directory: Directory) -> None:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        directory.url = f"postgresql://vpnops:{PASSWORD}@127.0.0.1:{one.getsockname()[1]}/directory"
        for work in (directory.read, directory.write):
            with pytest.raises(VpnKeysError) as caught:
                work()
            assert caught.value.code == "unreachable"
            assert f"directory on 127.0.0.1:{one.getsockname()[1]}" in str(caught.value)
            assert PASSWORD not in str(caught.value)
            assert caught.value.__cause__ is None


def test_postgresql_needs_to_be_told_its_key() -> None:
    place = Directory("postgresql://vpnops@127.0.0.1/directory", Path("/nowhere"))
    with pytest.raises(VpnKeysError, match="No signing key is set for the directory"):
        place.write(signing_key_path=None)
