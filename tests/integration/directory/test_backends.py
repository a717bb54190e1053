# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same directory in SQLite and in PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import postgres
import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from unit.directory.first import made as first
from unit.directory.samples import Directory, gateway, mesh, names, new_key, pending, run_by, stage

from ansible_collections.vpnops.keys.plugins.module_utils._directory import database, schema
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError


def test_a_whole_rotation(directory: Directory) -> None:
    old = mesh(directory)[0]
    new = stage(directory)
    for state in ("active", "verified"):
        assert directory.write(state, gateways=names("gw1"))["changed"]
        assert not directory.write(state, gateways=names("gw1"))["changed"]
    assert directory.entry("gw1")["previous"] == old
    directory.write("retired", gateways=names("gw1"))
    directory.acknowledge("gw1", "gw2", "gw3")
    found = directory.read()
    assert (pending(found), found["directory"]["tampered"]) == ({}, [])
    assert directory.states("gw1") == {1: "retired", 2: "current"}
    assert directory.entry("gw1")["current"] == new


def test_the_tables(directory: Directory) -> None:
    mesh(directory)
    with database.transaction(database.locate(directory.url), write=False) as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.METADATA) == []


def test_a_directory_of_the_first_version(server: postgres.Server, tmp_path: Path) -> None:
    directory = first.in_postgresql(server.new_database(), tmp_path)
    first.check_upgraded(directory)
    with psycopg.connect(directory.url) as connection:
        for table in first.TABLES:
            (count,) = connection.execute(f"SELECT count(*) FROM r0001_{table}").fetchone() or (0,)
            assert count == sum(1 for _row in first.rows(table)), "it is kept as it was"


def test_check_mode(directory: Directory) -> None:
    given = [gateway("gw1", new_key()), gateway("gw2", new_key())]
    predicted = directory.write(check=True, diff=True, gateways=given)
    assert not directory.exists()
    assert not directory.key_path.exists()
    done = directory.write(diff=True, gateways=given)
    for field in ("diff", "peers", "learned"):
        assert predicted[field] == done[field]
    before = directory.read()
    assert directory.write("prepared", check=True, gateways=names("gw1"))["changed"]
    assert directory.write("rekeyed", check=True)["changed"]
    assert directory.read() == before


def test_one_open_rotation_at_most(directory: Directory) -> None:
    """The database itself sees to it, whatever this program does."""
    mesh(directory)
    directory.write("prepared", gateways=names("gw1"))
    with pytest.raises(VpnKeysError):
        _insert_again(directory)
    assert len(directory.read()["rotations"]) == 1


def _insert_again(directory: Directory) -> None:
    with database.transaction(database.locate(directory.url), write=True) as connection:
        row = dict(connection.execute(sa.select(schema.rotations)).mappings().one())
        connection.execute(sa.insert(schema.rotations), [{**row, "id": row["id"] + 1}])


def test_all_or_nothing(directory: Directory) -> None:
    mesh(directory)
    directory.write("prepared", gateways=names("gw1", "gw2"))
    key = new_key()
    keys = [{"gateway": "gw1", "public_key": key}, {"gateway": "gw2", "public_key": key}]
    assert "already belongs to gw1" in directory.refused("duplicate_key", "staged", keys=keys)
    directory.refused("held", "rolled_back", gateways=names("gw1", "gw2"), lock_owner=run_by("bob", 2))


def test_rekeyed(directory: Directory) -> None:
    mesh(directory)
    before = directory.read()
    directory.write("rekeyed")
    after = directory.read()
    assert after["directory"]["key_fingerprint"] != before["directory"]["key_fingerprint"]
    assert after["peers"] == before["peers"]


def test_tampered(directory: Directory) -> None:
    mesh(directory)
    with database.transaction(database.locate(directory.url), write=True) as connection:
        connection.execute(sa.update(schema.gateways).where(schema.gateways.c.name == "gw1").values(endpoint="evil:1"))
    assert directory.read()["directory"]["tampered"] == [{"gateway": "gw1", "serial": None, "what": "gateway"}]
    directory.refused("tampered", "prepared", gateways=names("gw1"))


FORGERIES = {
    "DELETE FROM marks WHERE peer = 'gw2'": {"gateway": "gw2", "serial": None, "what": "acknowledgement"},
    "DELETE FROM keys WHERE gateway = 'gw2'": {"gateway": "gw2", "serial": 1, "what": "key"},
    "UPDATE events SET why = 'of another mind' WHERE id = 1": {"gateway": None, "serial": None, "what": "events"},
    "DELETE FROM events WHERE id = (SELECT max(id) FROM events)": {"gateway": None, "serial": None, "what": "events"},
    "UPDATE directory SET revision = revision + 1": {"gateway": None, "serial": None, "what": "revision"},
    "DELETE FROM checkpoints WHERE number = 1": {"gateway": None, "serial": None, "what": "checkpoints"},
}


@pytest.mark.parametrize("statement", FORGERIES)
def test_nothing_is_removed_or_changed_unnoticed(directory: Directory, statement: str) -> None:
    mesh(directory)
    directory.write("prepared", gateways=names("gw1"), why="yearly")
    assert directory.read(fail_on_tampered=True)["directory"]["tampered"] == []
    with database.transaction(database.locate(directory.url), write=True) as connection:
        assert connection.exec_driver_sql(statement).rowcount
    assert FORGERIES[statement] in directory.read()["directory"]["tampered"]


def test_a_newer_schema(directory: Directory) -> None:
    mesh(directory)
    with database.transaction(database.locate(directory.url), write=True) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'r7777'"))
    for work in (directory.read, directory.write):
        with pytest.raises(VpnKeysError, match=r"newer version of vpnops\.keys.*Nothing was changed") as caught:
            work()
        assert caught.value.code == "schema"


# -- PostgreSQL alone


@pytest.mark.parametrize("change", ["password", "database", "user"])
def test_no_way_in(server: postgres.Server, directory: Directory, change: str) -> None:
    wrong = {
        "password": server.url("postgres", password="wrong-horse"),
        "database": server.url("nowhere"),
        "user": server.url("postgres").replace("vpnops:", "nobody:"),
    }
    directory.url = wrong[change]
    for work in (directory.read, directory.write):
        with pytest.raises(VpnKeysError) as caught:
            work()
        sentence = str(caught.value)
        assert caught.value.code == "unreachable"
        assert f"127.0.0.1:{server.port}" in sentence
        assert "Nothing was changed" in sentence
        assert "\n" not in sentence
        assert server.password not in sentence
        assert "wrong-horse" not in sentence


def test_a_reader_needs_no_right_to_write(server: postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = Directory(server.new_database(), tmp_path_factory.mktemp("keys") / "signing.key")
    mesh(directory)
    whole = directory.read()
    with psycopg.connect(directory.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'for reading'")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    user = f"vpnops:{server.password}"
    directory.url = directory.url.replace(user, "reader:for%20reading")
    assert directory.read() == whole
    with pytest.raises(VpnKeysError, match="permission denied") as caught:
        directory.write(gateways=[gateway("gw4", new_key())])
    assert caught.value.code == "unreachable"
    assert "for reading" not in str(caught.value)


@pytest.mark.parametrize("back", [False, True])
def test_a_directory_moves_between_the_kinds_of_database(server: postgres.Server, tmp_path: Path, back: bool) -> None:
    """Number, serials, history and signatures are the same there."""
    urls = [f"sqlite:///{tmp_path}/directory.db", server.new_database()]
    one, two = (Directory(url, tmp_path / "signing.key") for url in (reversed(urls) if back else urls))
    mesh(one)
    stage(one)
    one.write("active", gateways=names("gw1"))
    before = one.read()
    one.write("backed_up", path=f"{tmp_path}/kept.db")
    one.write("moved", to_url=two.url)
    after = two.read()
    assert after["events"][1:] == before["events"]
    for name in ("peers", "learned", "all_keys", "rotations"):
        assert after[name] == before[name]
    was, now = before["directory"]["checkpoint"], after["directory"]["checkpoint"]
    assert (now["number"], now["previous"]) == (was["number"] + 1, was["root"])
    with pytest.raises(VpnKeysError, match="moved to another database"):
        one.read()
    three = Directory(server.new_database() if back else f"sqlite:///{tmp_path}/third.db", tmp_path / "signing.key")
    with pytest.raises(VpnKeysError, match="would be lost"):
        three.write("restored", path=f"{tmp_path}/kept.db")
