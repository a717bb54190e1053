# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder always has a whole publication, and never an older one in the place of a newer one."""

from __future__ import annotations

import fcntl
import json
import os
import time
import typing as t
from pathlib import Path

import pytest
from unit.directory.samples import DEFAULTS, Directory, gateway, key_of, mesh, names, stage

from ansible_collections.vpnops.keys.plugins.module_utils._directory import note, signing
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._fingerprint import fingerprint
from ansible_collections.vpnops.keys.plugins.module_utils._publishing import (
    entries,
    folder,
    publication,
    publish,
    tree,
)

Data = dict[str, t.Any]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "www"


def published(directory: Directory, place: Path, check: bool = False, **given: t.Any) -> Data:
    options = {**DEFAULTS, "url": directory.url, "signing_key_path": str(directory.key_path), "name_salt": None}
    return publish.publish({**options, "path": str(place), "valid_days": 7, **given}, check)


def refused(directory: Directory, place: Path, **given: t.Any) -> tuple[str, str]:
    with pytest.raises(VpnKeysError) as caught:
        published(directory, place, **given)
    return caught.value.code, str(caught.value)


def files(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def found(directory: Directory, place: Path) -> tuple[int, dict[str, Data]]:
    """Number and entries, as a reader of the folder finds them."""
    key = signing.from_pem(directory.key_path.read_text()).public_key()
    signed = (place / "checkpoint").read_bytes()
    one = publication.opened(signed, signed.split(b"\n")[0].decode(), note.raw(key))
    assert one
    parts, lines = tree.top(one.root, one.size), []
    while parts:
        part = parts.pop(0)
        data = (place / "files" / part.name).read_bytes()
        if part.height:
            parts[:0] = tree.below(part, data)
        else:
            lines += tree.lines_of(part, data)
    return one.number, {entry["name"]: entry for entry in map(entries.read, lines)}


def enroll(directory: Directory, count: int) -> None:
    directory.write(gateways=[gateway(f"gw{number}", key_of(f"gw{number}")) for number in range(count)])


def test_once(directory: Directory, place: Path) -> None:
    enroll(directory, 3)
    predicted = published(directory, place, check=True)
    assert not place.exists()
    made = published(directory, place)
    assert (predicted["changed"], predicted["publication"]["root"]) == (True, made["publication"]["root"])
    assert found(directory, place)[1]["gw2"]["current"] == key_of("gw2")
    before = files(place)
    again = published(directory, place)
    assert (again["changed"], files(place)) == (False, before)
    assert {path.stat().st_mode & 0o777 for path in place.rglob("*.page")} == {0o644}


def test_one_key_costs_one_page(directory: Directory, place: Path) -> None:
    enroll(directory, 300)
    assert published(directory, place)["files_written"] == 20
    before = files(place)
    directory.write(gateways=[gateway("gw7", key_of("gw7"), endpoint="other.example.net:1")])
    made = published(directory, place)
    assert made["files_written"] == 2
    assert len([name for name in files(place) if name not in before and name.startswith("files/")]) == 2


def test_old_files_are_removed_after_a_day(
    directory: Directory, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enroll(directory, 3)
    published(directory, place)
    old = set(files(place))
    directory.write("revoked", gateways=names("gw1"))
    assert published(directory, place)["files_removed"] == 0
    assert old <= set(files(place))
    later = time.time() + folder.GRACE + 5
    monkeypatch.setattr(time, "time", lambda: later)
    assert not published(directory, place)["changed"]
    directory.write("revoked", gateways=names("gw2"))
    assert published(directory, place)["files_removed"] == 1
    assert found(directory, place)[1]["gw2"]["withdrawn"]


def test_it_is_renewed_at_half_time(directory: Directory, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enroll(directory, 1)
    first = published(directory, place)["publication"]
    later = first["time"] + 4 * publish.DAY
    monkeypatch.setattr(time, "time", lambda: later)
    second = published(directory, place)
    assert second["changed"]
    assert (second["publication"]["number"], second["publication"]["expires"]) == (
        first["number"],
        later + 7 * publish.DAY,
    )


def test_an_older_directory_replaces_nothing(directory: Directory, place: Path, tmp_path: Path) -> None:
    """The database was put back, and with it what this control node remembers."""
    enroll(directory, 3)
    database = tmp_path / "directory.db"
    kept = database.read_bytes()
    directory.write("revoked", gateways=names("gw1"))
    published(directory, place)
    database.write_bytes(kept)
    assert refused(directory, place)[0] == "tampered"
    (tmp_path / "directory.db.key.witness").unlink()
    before = files(place)
    code, told = refused(directory, place)
    assert (code, "restore the newest backup" in told) == ("conflict", True)
    directory.write("revoked", gateways=names("gw2"))
    assert refused(directory, place)[0] == "conflict"
    assert files(place) == before


def test_two_directories_do_not_share_a_folder(directory: Directory, place: Path, tmp_path: Path) -> None:
    enroll(directory, 1)
    published(directory, place)
    other = Directory(f"sqlite:///{tmp_path}/other.db", tmp_path / "other.db.key")
    enroll(other, 1)
    assert refused(other, place)[0] == "conflict"
    assert refused(directory, place, name_salt="salt")[0] == "conflict"


def test_two_publishers_take_turns(directory: Directory, place: Path) -> None:
    enroll(directory, 1)
    published(directory, place)
    with (place / ".lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert refused(directory, place)[0] == "in_use"
    assert not published(directory, place)["changed"]


def test_after_a_change_of_the_directorys_key(directory: Directory, place: Path) -> None:
    enroll(directory, 2)
    first = published(directory, place)["publication"]["number"]
    directory.write("rekeyed")
    assert published(directory, place)["changed"]
    assert found(directory, place)[0] > first


@pytest.mark.parametrize(
    ("given", "code"),
    [({"valid_days": 0}, "bad_input"), ({"verify_key": "0" * 64}, "tampered"), ({"signing_key": "x"}, "signing_key")],
)
def test_refused(given: Data, code: str, directory: Directory, place: Path) -> None:
    enroll(directory, 1)
    assert refused(directory, place, **given)[0] == code
    assert not (place / "checkpoint").exists()


def test_nobody_publishes_without_the_signing_key(directory: Directory, place: Path) -> None:
    enroll(directory, 1)
    key = signing.from_pem(directory.key_path.read_text())
    directory.key_path.unlink()
    trusted = fingerprint(signing.public_der(key))
    assert refused(directory, place, verify_key=trusted)[0] == "signing_key"


def test_no_secret_is_published(directory: Directory, place: Path) -> None:
    """Neither the signing key, nor who did what and why, nor where the database is."""
    mesh(directory)
    stage(directory, why="somebody stole the laptop")
    published(directory, place)
    told = b"".join(data for name, data in files(place).items()).decode()
    secret = "".join(directory.key_path.read_text().split("\n")[1:-2])
    for word in (secret, secret[-20:], "PRIVATE", "alice", "ctl1", "laptop", "sqlite", str(place.parent)):
        assert word not in told
    allowed = {"form", *entries.FIELDS}
    lines = [line for name, data in files(place).items() if name.endswith(".page") for line in data.splitlines()]
    assert {key for line in lines for key in json.loads(line)} == allowed


# -- killed


class Killer:
    """`os` as the publisher sees it, which ends the process at its nth call; a write is half done then."""

    CALLS = ("open", "write", "fsync", "replace", "unlink", "fchmod", "makedirs", "close", "listdir")

    def __init__(self, at: int) -> None:
        self.left = at

    def __getattr__(self, name: str) -> t.Any:
        return self._counted(name) if name in self.CALLS else getattr(os, name)

    def _counted(self, name: str) -> t.Any:
        def call(*arguments: t.Any, **more: t.Any) -> t.Any:
            self.left -= 1
            if self.left < 0:
                if name == "write":
                    os.write(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os._exit(9)
            return getattr(os, name)(*arguments, **more)

        return call


def killed(directory: Directory, place: Path, at: int) -> bool:
    """Whether it was; else it came to its end."""
    child = os.fork()
    if not child:
        folder.os = Killer(at)  # type: ignore[assignment, attr-defined]
        try:
            published(directory, place)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_killed_anywhere(directory: Directory, place: Path) -> None:
    """A reader finds the old publication or the new one, whole; the next run ends what was begun."""
    enroll(directory, 40)
    published(directory, place)
    number, before = found(directory, place)
    directory.write("revoked", gateways=names("gw1"))
    directory.write(gateways=[gateway("gw9", key_of("gw9"), endpoint="other.example.net:1")])
    at, seen = 0, set()
    while killed(directory, place, at):
        now = found(directory, place)
        seen.add(now[0])
        assert now == (number, before) or (now[0] > number and now[1]["gw1"]["withdrawn"])
        at += 1
        if now[0] > number:  # begin again before the change, but for what the killed run left
            directory.write("revoked", gateways=names(f"gw{at}"))
            number, before = now
    assert at > 20
    assert len(seen) > 2
    assert found(directory, place)[0] == directory.read()["directory"]["checkpoint"]["number"]
    assert not list(place.rglob("*.partial"))
