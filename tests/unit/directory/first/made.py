# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory that version 1.0.0 made: `first.db`. `first.json` has what it returned of it: which keys each gateway had
not acknowledged (`owed`), and who held the new keys of open rotations (`acknowledged`).

Of nine gateways one is lost, one is in an emergency, one is changing its key, two have moved or changed since others
stored them, and two are of another platform. Its signing key is made from a sentence.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import typing as t
from pathlib import Path

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ed25519
from unit.directory.samples import Data, Directory, pending

from ansible_collections.vpnops.keys.plugins.module_utils._directory import database, migrations, signing
from ansible_collections.vpnops.keys.plugins.module_utils._directory.revisions import r0001_first

HERE = Path(__file__).parent
RETURNED: Data = json.loads((HERE / "first.json").read_text())
TABLES = ("directory", "directory_keys", "gateways", "keys", "acknowledgements", "rotations", "events")


def _json(value: str | None) -> t.Any:
    return None if value is None else json.loads(value)


def _as_it_is(value: t.Any) -> t.Any:
    return value


CONVERSIONS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "networks": _json,
    "holder": _json,
    "details": _json,
    "revoked": bool,
}


def _opened(url: str, folder: Path) -> Directory:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"the first directory").digest())
    directory = Directory(url, folder / "none")
    directory.options |= {"signing_key": signing.to_pem(key), "signing_key_path": None}
    return directory


def in_sqlite(folder: Path) -> Directory:
    shutil.copy(HERE / "first.db", folder / "first.db")
    return _opened(f"sqlite:///{folder}/first.db", folder)


def in_postgresql(url: str, folder: Path) -> Directory:
    """The same rows in the tables of that version."""
    with database.transaction(database.locate(url), write=True) as connection:
        migrations.upgrade(connection, "here", (r0001_first,))
        for name in TABLES:
            table = sa.Table(name, sa.MetaData(), autoload_with=connection)
            if found := list(rows(name)):
                connection.execute(sa.insert(table), found)
        connection.exec_driver_sql("SELECT setval('events_id_seq', (SELECT max(id) FROM events))")
    return _opened(url, folder)


def rows(table: str) -> t.Iterator[Data]:
    with sqlite3.connect(f"file:{HERE}/first.db?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        for row in connection.execute(f"SELECT * FROM {table}"):
            yield {name: CONVERSIONS.get(name, _as_it_is)(value) for name, value in dict(row).items()}


def check_upgraded(directory: Directory) -> None:
    """All signatures verify, and all that was acknowledged is acknowledged still, and nothing else."""
    result = directory.write()
    assert result["changed"]
    assert result["directory"]["schema"] == migrations.REVISIONS[-1].revision
    assert result["directory"]["revision"] == max(one["revision"] for one in result["peers"])
    for shown in (result, directory.read()):
        assert shown["directory"]["tampered"] == []
        assert pending(shown) == RETURNED["owed"]
        gateways = shown["directory"]["gateways"]
        rotations = {name: one["rotation"] for name, one in gateways.items() if one["rotation"]}
        assert {name: one["acknowledged"] for name, one in rotations.items()} == RETURNED["acknowledged"]
    assert not directory.write()["changed"]
