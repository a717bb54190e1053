# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole directory moved, kept in a file and brought back."""

from __future__ import annotations

import os
import shutil
import sqlite3
import typing as t
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from unit.directory.samples import Data, Directory, gateway, mesh, names, new_key, pending, stage

from ansible_collections.vpnops.keys.plugins.module_utils._directory import migrations
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError


def lived(directory: Directory) -> None:
    mesh(directory)
    stage(directory)
    for state in ("active", "verified", "retired"):
        directory.write(state, gateways=names("gw1"))
    directory.write("revoked", gateways=names("gw3"), lost=True)


def elsewhere(directory: Directory, name: str = "other.db") -> Directory:
    """Another database with the same signing key and the same memory of what was seen."""
    folder = directory.key_path.parent
    return replace(directory, url=f"sqlite:///{folder}/{name}")


def without_place(found: Data) -> Data:
    return {name: value for name, value in found.items() if name not in ("where", "events")}


def checkpoint(found: Data) -> Data:
    return t.cast(Data, found["directory"]["checkpoint"])


def kept_as_it_was(before: Data, after: Data, last: str) -> None:
    """All of it, with one more event and the next number."""
    assert after["events"][1:] == before["events"]
    assert after["events"][0]["what"] == last
    assert checkpoint(after)["previous"] == checkpoint(before)["root"]
    assert checkpoint(after)["number"] == checkpoint(before)["number"] + 1
    one, two = ({**without_place(found)["directory"], "checkpoint": None} for found in (before, after))
    assert one == two
    for name in ("peers", "learned", "all_keys", "rotations"):
        assert after[name] == before[name]


def rows_of(directory: Directory, table: str) -> list[t.Any]:
    with closing(sqlite3.connect(directory.url.removeprefix("sqlite:///"))) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()


# -- to another database


def test_a_directory_that_is_moved_is_the_same(directory: Directory) -> None:
    lived(directory)
    before, rows = directory.read(), {table: rows_of(directory, table) for table in ("keys", "gateways", "rotations")}
    to = elsewhere(directory)
    moved = directory.write("moved", to_url=to.url)
    assert moved["changed"]
    assert moved["where"] == to.url.removeprefix("sqlite:///")
    kept_as_it_was(before, to.read(), "moved")
    # With their signatures.
    assert rows == {table: rows_of(to, table) for table in rows}
    to.write(gateways=[gateway("gw9", new_key())])
    with pytest.raises(VpnKeysError, match="was moved to another database"):
        directory.read()
    with pytest.raises(VpnKeysError, match="was moved to another database"):
        directory.write(gateways=[gateway("gw8", new_key())])


def test_where_only_the_new_place_was_written_the_old_one_is_known_for_old(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two databases."""
    lived(directory)

    def killed(*dummy: object) -> None:
        raise KeyboardInterrupt

    to = elsewhere(directory)
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "mark_moved", killed)
        with pytest.raises(KeyboardInterrupt):
            directory.write("moved", to_url=to.url)
    assert to.read()["directory"]["tampered"] == []
    assert [one["what"] for one in directory.read()["directory"]["tampered"]] == ["rolled back"]


def test_two_directories_are_not_merged(directory: Directory, tmp_path: Path) -> None:
    lived(directory)
    other = Directory(f"sqlite:///{tmp_path}/second/directory.db", tmp_path / "second/key")
    other.write(gateways=[gateway("gw7", new_key())])
    before = other.read()
    said = directory.refused("conflict", "moved", to_url=other.url)
    assert before["directory"]["id"] in said
    assert "two directories cannot be merged" in said
    assert other.read() == before
    kept = str(tmp_path / "kept.db")
    directory.write("backed_up", path=kept)
    with pytest.raises(VpnKeysError, match="cannot be merged"):
        replace(directory, url=other.url).write("restored", path=kept)
    assert other.read() == before


MISTAKES: dict[str, tuple[str, Data, str]] = {
    "nowhere": ("moved", {}, "needs O(to_url)"),
    "where it is": ("moved", {"to_url": "itself"}, "the directory is already in the database of"),
    "to what is no database": ("moved", {"to_url": "mysql://x/y"}, "O(to_url) names a database of the kind mysql"),
    "to no file": ("backed_up", {}, "needs O(path)"),
    "from no file": ("restored", {}, "needs O(path)"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_mistakes(directory: Directory, what: str) -> None:
    mesh(directory)
    state, given, why = MISTAKES[what]
    given = {name: directory.url if value == "itself" else value for name, value in given.items()}
    with pytest.raises(VpnKeysError) as caught:
        directory.write(state, **given)
    assert (caught.value.code, why in caught.value.marked) == ("bad_input", True)


@pytest.mark.parametrize("state", ["moved", "backed_up"])
def test_what_somebody_else_wrote_is_not_carried_on(directory: Directory, tmp_path: Path, state: str) -> None:
    mesh(directory)
    with closing(sqlite3.connect(directory.url.removeprefix("sqlite:///"))) as connection:
        connection.execute("UPDATE keys SET public_key = 'x' WHERE gateway = 'gw2'")
        connection.commit()
    said = directory.refused("tampered", state, path=str(tmp_path / "kept.db"), to_url=elsewhere(directory).url)
    assert "records that are not as it signed them (of gw2)" in said
    assert not (tmp_path / "kept.db").exists()


def test_check_mode_writes_nothing(directory: Directory, tmp_path: Path) -> None:
    lived(directory)
    before, files = directory.read(), sorted(tmp_path.iterdir())
    to, kept = elsewhere(directory), str(tmp_path / "kept.db")
    moved = directory.write("moved", check=True, to_url=to.url)
    assert (moved["changed"], moved["directory"]["checkpoint"]["note"]) == (True, "")
    assert directory.write("backed_up", check=True, path=kept)["changed"]
    assert (directory.read(), sorted(tmp_path.iterdir())) == (before, files)


# -- kept in a file, and brought back


def test_a_backup_is_the_directory_without_its_signing_key(directory: Directory, tmp_path: Path) -> None:
    lived(directory)
    before, kept = directory.read(), tmp_path / "kept.db"
    result = directory.write("backed_up", path=str(kept))
    assert (result["changed"], result["path"]) == (True, str(kept))
    assert directory.read() == before
    assert without_place(elsewhere(directory, "kept.db").read()) == without_place(before)
    assert os.stat(kept).st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in kept.read_bytes()
    assert not list(tmp_path.glob("*.partial"))
    assert not directory.write("backed_up", path=str(kept))["changed"]
    directory.write(gateways=[gateway("gw9", new_key())])
    assert "not a backup of the directory as it is now" in directory.refused("conflict", "backed_up", path=str(kept))


def test_the_newest_backup_comes_back_as_it_was(directory: Directory, tmp_path: Path) -> None:
    lived(directory)
    before, kept = directory.read(), str(tmp_path / "kept.db")
    directory.write("backed_up", path=kept)
    os.unlink(directory.url.removeprefix("sqlite:///"))
    restored = directory.write("restored", check=True, path=kept)
    assert (restored["changed"], restored["directory"]["checkpoint"]["note"]) == (True, "")
    with pytest.raises(VpnKeysError, match="this control node has seen"):
        directory.read()
    directory.write("restored", path=kept)
    kept_as_it_was(before, directory.read(), "restored")


def test_an_older_backup_comes_back_only_if_somebody_accepts_what_it_forgets(
    directory: Directory, tmp_path: Path
) -> None:
    mesh(directory)
    kept = str(tmp_path / "kept.db")
    directory.write("backed_up", path=kept)
    directory.write("revoked", gateways=names("gw3"), lost=True)
    seen = checkpoint(directory.read())["number"]
    path = directory.url.removeprefix("sqlite:///")
    shutil.move(path, f"{path}.damaged")
    with pytest.raises(VpnKeysError) as caught:
        directory.write("restored", path=kept)
    assert caught.value.code == "tampered"
    said = str(caught.value)
    assert f"seen checkpoint {seen}" in said
    assert "including revocations" in said
    confirm = said.rpartition("confirm=")[2].partition(",")[0]
    with pytest.raises(VpnKeysError):
        directory.write("restored", path=kept, confirm="0" * 16)
    directory.write("restored", path=kept, confirm=confirm)
    found = directory.read()
    assert checkpoint(found)["number"] > seen
    assert found["directory"]["tampered"] == []
    assert found["events"][0]["details"]["forgets"] == "rolled back"
    # Nobody knows what they have stored meanwhile.
    assert pending(found) == {name: sorted({"gw1", "gw2", "gw3"} - {name}) for name in ("gw1", "gw2", "gw3")}
    # The other database goes on to be known for what it is, whatever is written to it.
    shutil.copy(f"{path}.damaged", path)
    assert directory.read()["directory"]["tampered"] == [
        {"gateway": None, "serial": None, "what": "rolled back"}
    ]


def test_a_backup_of_another_directory_is_refused(directory: Directory, tmp_path: Path) -> None:
    mesh(directory)
    kept = str(tmp_path / "kept.db")
    directory.write("backed_up", path=kept)
    path = Path(directory.url.removeprefix("sqlite:///"))
    witness = Path(f"{directory.key_path}.witness")
    path.unlink()
    witness.unlink()
    mesh(directory)  # another one, with the same key
    path.unlink()
    with pytest.raises(VpnKeysError, match="is of another directory"):
        directory.write("restored", path=kept)


def test_what_is_no_backup(directory: Directory, tmp_path: Path) -> None:
    mesh(directory)
    empty = tmp_path / "empty.db"
    sqlite3.connect(empty).close()
    other = elsewhere(directory)
    for path in (tmp_path / "nothing.db", empty):
        with pytest.raises(VpnKeysError) as caught:
            other.write("restored", path=str(path))
        assert caught.value.code == "not_found"
    kept = tmp_path / "kept.db"
    directory.write("backed_up", path=str(kept))
    with closing(sqlite3.connect(kept)) as connection:
        connection.execute("DELETE FROM events WHERE id = 2")
        connection.commit()
    with pytest.raises(VpnKeysError) as caught:
        other.write("restored", path=str(kept))
    assert caught.value.code == "tampered"
