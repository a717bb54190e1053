# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings the tables of a directory to the newest revision with Alembic. PRIVATE to the collection.

Modules travel to where they run as a zip of imported Python files, so the revisions are such files instead of a
folder that Alembic would read. Alembic is imported only where tables are to be made or changed: that takes longer than
all else, and a rotation opens the directory many times.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Sequence

from .._errors import NOTHING_CHANGED, VpnKeysError
from .revisions import r0001_first, r0002_marks, r0003_checkpoints

try:
    import sqlalchemy as sa
except ImportError:  # the modules name the missing library
    pass
if t.TYPE_CHECKING:
    from alembic.migration import MigrationContext
    from alembic.script import Script, ScriptDirectory

MOVED = "moved"
"""The revision of what was moved to another database."""
VERSIONS = "alembic_version"
"""The table in which Alembic keeps the revision."""

REVISIONS = (r0001_first, r0002_marks, r0003_checkpoints)
"""Oldest first. One is never changed after its release; another is added."""


def _scripts(modules: Sequence[t.Any]) -> ScriptDirectory:
    """Alembic's view of modules that are imported already."""
    from alembic.script import Script, ScriptDirectory

    class ImportedScripts(ScriptDirectory):
        def _load_revisions(self) -> Iterator[Script]:
            for module in modules:
                yield Script(module, module.revision, str(module.__file__))

    return ImportedScripts(dir="/")  # must exist, and is not read


def revision_of(connection: sa.Connection) -> str | None:
    """None where there is no directory."""
    if not sa.inspect(connection).has_table(VERSIONS):
        return None
    return t.cast("str | None", connection.scalar(sa.text(f"SELECT version_num FROM {VERSIONS}")))


def is_older(found: str | None, revisions: Sequence[t.Any] = REVISIONS) -> bool:
    """Whether a directory is to be upgraded."""
    return found in [module.revision for module in revisions[:-1]]


def has_checkpoints(found: str | None) -> bool:
    return found not in (None, r0001_first.revision, r0002_marks.revision)


def check(found: str | None, where: str, revisions: Sequence[t.Any] = REVISIONS) -> None:
    """Raises VpnKeysError(schema) unless this collection knows that revision and can read it as it is."""
    known = [module.revision for module in revisions]
    if found == MOVED:
        raise VpnKeysError(
            "not_found",
            f"The directory {where} was moved to another database",
            state=NOTHING_CHANGED,
            advice="set O(url) to that database",
        )
    if found not in known:
        raise VpnKeysError(
            "schema",
            f"The directory {where} was made by a newer version of vpnops.keys (it has schema {found}, this version "
            f"knows {known[-1]})",
            state=NOTHING_CHANGED,
            advice="update the collection on this control node",
        )
    if found != known[-1]:
        raise VpnKeysError(
            "schema",
            f"The directory {where} was made by an older version of vpnops.keys (it has schema {found}, this version "
            f"needs {known[-1]})",
            state=NOTHING_CHANGED,
            advice="run vpnops.keys.key_directory with state=present once, which upgrades it",
        )


def mark_moved(connection: sa.Connection) -> None:
    connection.execute(sa.text(f"UPDATE {VERSIONS} SET version_num = '{MOVED}'"))


def upgrade(connection: sa.Connection, where: str, revisions: Sequence[t.Any] = REVISIONS) -> bool:
    """Whether there was something to do. Part of the transaction that the connection is in.

    Raises VpnKeysError(schema) for a directory that is newer than this collection.
    """
    found = revision_of(connection)
    if found == revisions[-1].revision:
        return False
    if found is not None and found not in [module.revision for module in revisions]:
        check(found, where, revisions)
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    scripts = _scripts(revisions)

    def steps(current: t.Any, _context: MigrationContext) -> t.Any:
        return scripts._upgrade_revs("head", current)

    context = MigrationContext.configure(connection, opts={"fn": steps})
    with Operations.context(context):
        context.run_migrations()
    return True
