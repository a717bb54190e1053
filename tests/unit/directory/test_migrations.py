# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Older, newer and missing schemas."""

from __future__ import annotations

import shutil
import sqlite3
import types
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from unit.directory.first import made as first
from unit.directory.samples import Data, Directory, gateway, mesh, names, new_key, stage

from ansible_collections.vpnops.keys.plugins.module_utils._directory import database, migrations, schema, signing
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError


def later() -> types.ModuleType:
    """A revision as a later version of the collection would bring it."""

    def upgrade() -> None:
        op.add_column("gateways", sa.Column("note", sa.Text))
        op.execute("UPDATE gateways SET note = 'from before'")

    module = types.ModuleType("r9999_later")
    former = migrations.REVISIONS[-1].revision
    module.__dict__.update(revision="r9999", down_revision=former, upgrade=upgrade, __file__="r9999_later.py")
    return module


NEWER = (*migrations.REVISIONS, later())


def test_the_revisions_make_the_tables_that_are_used(directory: Directory) -> None:
    mesh(directory)
    with database.transaction(database.locate(directory.url), write=False) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.METADATA) == []
        indexes = sa.inspect(connection).get_indexes("rotations")
    assert [(one["name"], one["unique"]) for one in indexes] == [("one_open_rotation", 1)]


def test_a_directory_of_the_first_version_is_upgraded_and_means_the_same(tmp_path: Path) -> None:
    old = first.in_sqlite(tmp_path)
    with pytest.raises(VpnKeysError, match="made by an older version"):
        old.read()
    assert old.write(check=True)["changed"]
    first.check_upgraded(old)
    with sqlite3.connect(old.url.removeprefix("sqlite:///")) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM acknowledgements").fetchone()
        (marks,) = connection.execute("SELECT count(*) FROM marks").fetchone()
    assert marks > 0
    assert rows < sum(1 for _row in first.rows("acknowledgements"))
    old.write("active", gateways=names("gw2"))
    old.write("rekeyed", new_signing_key=signing.to_pem(signing.new_private_key()))


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_an_upgrade_keeps_the_directory_as_it_was(tmp_path: Path) -> None:
    old = first.in_sqlite(tmp_path)
    path, kept = tmp_path / "first.db", tmp_path / "first.db.r0001"
    before = dump(path)
    old.write(check=True)
    assert not kept.exists()
    result = old.write()
    assert dump(kept) == before
    assert kept.stat().st_mode & 0o777 == 0o600
    upgraded, newest = result["events"][0], migrations.REVISIONS[-1].revision
    assert upgraded["what"] == "upgraded"
    assert upgraded["details"] == {"schema": ["r0001", newest], "backup": str(kept)}
    assert result["directory"]["checkpoint"]["number"] == 1
    assert len(old.read()["events"]) > 1, "the events from before are in the chain"
    # The file is a backup that works, but not where a newer directory was seen.
    shutil.copy(kept, path)
    assert "older than it was" in refusal(old)
    Path(f"{path}.key.witness").unlink()
    assert old.write()["changed"]


def refusal(directory: Directory) -> str:
    with pytest.raises(VpnKeysError) as caught:
        directory.write()
    assert caught.value.code == "tampered"
    return str(caught.value)


def test_what_was_tampered_with_before_an_upgrade_is_tampered_with_afterwards(tmp_path: Path) -> None:
    old = first.in_sqlite(tmp_path)
    with sqlite3.connect(tmp_path / "first.db") as connection:
        connection.execute("UPDATE gateways SET endpoint = 'evil:1' WHERE name = 'gw1'")
    for shown in (old.write(), old.read()):
        assert shown["directory"]["tampered"] == [{"gateway": "gw1", "serial": None, "what": "gateway"}]


@pytest.mark.parametrize("state", ["present", "rekeyed"])
@pytest.mark.parametrize("genuine", [True, False])
def test_a_rotation_whose_new_key_is_in_use_is_active_after_an_upgrade(
    tmp_path: Path, state: str, genuine: bool
) -> None:
    """Version 1.0.0 called it swapped. One that somebody else wrote stays what it is: tampered with."""
    old = first.in_sqlite(tmp_path)
    if not genuine:
        with sqlite3.connect(tmp_path / "first.db") as connection:
            connection.execute("UPDATE rotations SET state = 'swapped' WHERE gateway = 'gw3'")
    new = signing.to_pem(signing.new_private_key()) if state == "rekeyed" else None
    shown = old.write(state, new_signing_key=new)["directory"]
    wrong = {one["gateway"] for one in shown["tampered"]}
    assert (wrong, shown["gateways"]["gw2"]["rotation"]["state"]) == (set() if genuine else {"gw3"}, "active")


@pytest.mark.parametrize("table", ["gateways", "keys", "rotations", "directory_keys"])
def test_a_column_that_a_later_version_adds_makes_no_record_tampered(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    mesh(directory)
    stage(directory)
    before = directory.read()
    with sqlite3.connect(directory.url.removeprefix("sqlite:///")) as connection:
        connection.execute(f"ALTER TABLE {table} ADD COLUMN note TEXT")
        connection.execute(f"UPDATE {table} SET note = 'of a later version'")
    metadata = sa.MetaData()
    for one in schema.METADATA.tables.values():
        one.to_metadata(metadata)
    metadata.tables[table].append_column(sa.Column("note", sa.Text))
    monkeypatch.setattr(schema, table, metadata.tables[table])
    after = directory.read()
    assert after["peers"] == before["peers"]
    assert after["directory"]["tampered"] == []
    directory.write("active", gateways=names("gw1"))
    directory.write("rekeyed")
    assert directory.read()["directory"]["tampered"] == []


def test_every_column_of_a_record_is_signed_or_said_not_to_be() -> None:
    tables = {"gateway": schema.gateways, "key": schema.keys, "rotation": schema.rotations}
    for kind, table in {**tables, signing.KIND: schema.directory_keys}.items():
        newest = signing.FORMS[kind][-1]
        assert sorted([*newest, *signing.UNSIGNED[kind]]) == sorted(column.name for column in table.columns)


def test_revisions_are_a_chain() -> None:
    former: str | None = None
    for module in migrations.REVISIONS:
        assert module.down_revision == former
        former = module.revision


def columns(directory: Directory) -> set[str]:
    with sqlite3.connect(directory.url.removeprefix("sqlite:///")) as connection:
        return {row[1] for row in connection.execute("PRAGMA table_info(gateways)")}


def test_an_older_directory_is_upgraded_by_writers_only(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh(directory)
    monkeypatch.setattr(migrations, "REVISIONS", NEWER)
    monkeypatch.setattr(migrations.check, "__defaults__", (NEWER,))
    monkeypatch.setattr(migrations.upgrade, "__defaults__", (NEWER,))
    with pytest.raises(VpnKeysError, match=r"made by an older version.*Nothing was changed; run") as caught:
        directory.read()
    assert caught.value.code == "schema"
    assert directory.write(check=True)["changed"]
    assert "note" not in columns(directory)
    result = directory.write()
    assert result["changed"]
    assert result["directory"]["schema"] == "r9999"
    assert "note" in columns(directory)
    with sqlite3.connect(directory.url.removeprefix("sqlite:///")) as connection:
        assert {row[0] for row in connection.execute("SELECT note FROM gateways")} == {"from before"}
    assert not directory.write()["changed"]


def test_a_failing_upgrade_leaves_all_as_it_was(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh(directory)
    broken = later()

    def upgrade() -> None:
        op.add_column("gateways", sa.Column("note", sa.Text))
        op.execute("UPDATE no_such_table SET note = 1")

    broken.__dict__["upgrade"] = upgrade
    monkeypatch.setattr(migrations.upgrade, "__defaults__", ((*migrations.REVISIONS, broken),))
    with pytest.raises(VpnKeysError):
        directory.write()
    monkeypatch.undo()
    assert "note" not in columns(directory)
    assert not directory.write()["changed"]


def test_a_newer_directory_is_left_alone(directory: Directory) -> None:
    mesh(directory)
    with sqlite3.connect(directory.url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'r7777'")
    steps: tuple[Callable[[], Data], ...] = (
        directory.read,
        directory.write,
        lambda: directory.write(gateways=[gateway("gw4", new_key())]),
    )
    for step in steps:
        with pytest.raises(VpnKeysError) as caught:
            step()
        assert caught.value.code == "schema"
        assert "made by a newer version of vpnops.keys (it has schema r7777" in str(caught.value)
        assert "Nothing was changed; update the collection" in str(caught.value)
