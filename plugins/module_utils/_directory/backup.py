# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory as it was before its tables were changed. PRIVATE to the collection.

SQLite: the whole file, beside it, as FILE.REVISION. PostgreSQL: its tables, beside them, as REVISION_TABLE, in the same
transaction. Earlier versions of the collection read the file as it is.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from urllib.parse import quote

from . import key_file
from .database import Place

try:
    import sqlalchemy as sa
except ImportError:  # the modules name the missing library
    pass


def make(connection: sa.Connection, place: Place, revision: str, tables: tuple[str, ...]) -> str:
    """Where it is. Nothing may have been written in the transaction yet."""
    if place.path is None:
        for name in tables:
            connection.execute(sa.text(f"CREATE TABLE {revision}_{name} AS TABLE {name}"))
        return f"the tables {revision}_* of {place.where}"
    path = f"{place.path}.{revision}"
    _copy(place.path, path)
    return path


def _copy(path: str, to: str) -> None:
    """Whole and on the disk, or not there; for its owner alone."""
    partial = f"{to}.partial"
    os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
    source = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(partial)) as target:
        source.backup(target)
    key_file.move(partial, to)
