# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One transaction with the database of a directory. PRIVATE to the collection.

What goes wrong becomes one sentence that names the database and never its password.
"""

from __future__ import annotations

import functools
import gc
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from .._errors import NOTHING_CHANGED, VpnKeysError

try:
    import sqlalchemy as sa
    from sqlalchemy import exc
    from sqlalchemy.pool import NullPool
except ImportError:  # the modules name the missing library
    pass

PATIENCE = 60
"""Seconds that one transaction waits for another."""
CONNECT_TIMEOUT = 10
WRITERS = 0x76706E6F
"""The advisory lock that lets one transaction of ours write at a time to a PostgreSQL database."""
DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
LOCKED = ("database is locked", "lock timeout", "locknotavailable")
NEXT = {
    "unreachable": "check that the database runs, that O(url) is right and that its user may log in and write there, "
    "then run this again",
    "in_use": "run this again when that one has ended",
}
"""What to do then."""


@dataclass(frozen=True)
class Place:
    """Where a directory is: `path` of an SQLite file, None for PostgreSQL; `where` as sentences name it."""

    url: sa.URL
    path: str | None
    where: str


def locate(url: str, option: str = "url") -> Place:
    """Raises bad_input for what is not the URL of a directory. Does not look at the database."""
    try:
        parsed = sa.make_url(url)
        backend = parsed.get_backend_name()
    except (exc.ArgumentError, ValueError):
        raise VpnKeysError(
            "bad_input", f"O({option}) is not the URL of a database: {_EXPECTED}", state=NOTHING_CHANGED
        ) from None
    if backend not in DRIVERS:
        raise VpnKeysError(
            "bad_input", f"O({option}) names a database of the kind {backend}: {_EXPECTED}", state=NOTHING_CHANGED
        )
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise VpnKeysError(
                "bad_input", f"O({option}) names an SQLite database without a file", state=NOTHING_CHANGED
            )
        path = os.path.abspath(os.path.expanduser(parsed.database))
        return Place(parsed, path, path)
    host = parsed.host or parsed.query.get("host") or "local socket"
    return Place(
        parsed.set(drivername=DRIVERS[backend]), None, f"{parsed.database} on {host}:{parsed.port or 5432}"
    )


_EXPECTED = "it must look like sqlite:////var/lib/vpnops/directory.db or postgresql://user:password@host/database"


@contextmanager
def uncollected() -> Iterator[None]:
    """Python looks for garbage again and again while a large directory is read, where there is none: a tenth of the
    time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def transaction(place: Place, write: bool, memory: bool = False) -> Iterator[sa.Connection]:
    """A connection in a transaction: all of it is kept if the block ends well, unless the block rolled it back.

    A writer is alone until its end. `memory`: an empty database that nobody will see, to predict what happens where
    there is none yet.
    """
    with translated(place), _engine(place, write, memory).connect() as connection, connection.begin():
        if place.path is None:
            if write:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}s'")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")
            else:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection


@contextmanager
def translated(place: Place) -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise VpnKeysError(
            "missing_library",
            "The Python library psycopg is needed for a directory in PostgreSQL",
            state=NOTHING_CHANGED,
            advice="install it where this task runs",
        ) from None
    except (exc.SQLAlchemyError, OSError, sqlite3.Error) as error:
        code = "in_use" if any(word in _said(error).lower() for word in LOCKED) else "unreachable"
        what = {
            "unreachable": f"The directory {place.where} cannot be used",
            "in_use": f"Another run has been writing to the directory {place.where} for {PATIENCE} seconds",
        }[code]
        raise VpnKeysError(
            code,
            f"{what}: {_reason(error, place)}",
            state=NOTHING_CHANGED,
            advice=NEXT[code],
        ) from None


def _said(error: BaseException) -> str:
    inner = getattr(error, "orig", None) or error
    return f"{type(inner).__name__} {inner}"


def _reason(error: BaseException, place: Place) -> str:
    """What the database says, in one line, without statements, parameters or the password."""
    inner = getattr(error, "orig", None) or error
    text = inner.strerror or "" if isinstance(inner, OSError) else str(inner)
    line = " ".join(text.split()) or type(inner).__name__
    password = str(place.url.password or "")
    return line.replace(password, "********") if password else line


def now(connection: sa.Connection) -> str:
    """By the clock that all writers share: the database's, where that is another machine."""
    statement = {
        "sqlite": "SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now')",
        "postgresql": """SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')""",
    }[connection.dialect.name]
    return str(connection.exec_driver_sql(statement).scalar_one())


@functools.lru_cache(maxsize=8)
def _engine(place: Place, write: bool, memory: bool) -> sa.Engine:
    if place.path is None:
        arguments = {"connect_timeout": CONNECT_TIMEOUT, "application_name": "vpnops.keys"}
        return sa.create_engine(place.url, poolclass=NullPool, connect_args=arguments)
    path = place.path

    def connect() -> sqlite3.Connection:
        if memory:
            return sqlite3.connect(":memory:", isolation_level=None)
        if write:
            _make_file(path)
        name = f"file:{quote(path)}?mode={'rw' if write else 'ro'}"
        # Without an isolation level the driver begins nothing by itself.
        connection = sqlite3.connect(name, uri=True, timeout=PATIENCE, isolation_level=None)
        # Bytes that are not text make the record not genuine, but must not fail the whole database.
        connection.text_factory = functools.partial(str, encoding="utf-8", errors="backslashreplace")
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write and not memory else "BEGIN")

    return engine


def _make_file(path: str) -> None:
    """For its owner alone, before SQLite would create it readable for all users."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def missing_file(place: Place) -> bool:
    return place.path is not None and not os.path.exists(place.path)


def rollback(connection: sa.Connection) -> None:
    """Keep nothing of the transaction."""
    if under_way := connection.get_transaction():
        under_way.rollback()
