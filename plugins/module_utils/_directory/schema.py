# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of the directory as they are now; how they came to be is in `revisions`. PRIVATE to the collection.

Points in time are texts in UTC, `2026-11-22T03:12:45Z`: they are signed, so they must read the same from any database.
"""

from __future__ import annotations

try:
    import sqlalchemy as sa
except ImportError:  # the modules name the missing library
    pass
else:
    METADATA = sa.MetaData()
    JSON = sa.JSON(none_as_null=True)

    directory = sa.Table(
        "directory",
        METADATA,
        sa.Column("id", sa.Text, primary_key=True),
        # The highest number that a change of what peers must store has had: it never falls.
        sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
    )
    gateways = sa.Table(
        "gateways",
        METADATA,
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("algorithm", sa.Text, nullable=False),
        sa.Column("identity", sa.Text),
        sa.Column("endpoint", sa.Text),
        sa.Column("networks", JSON, nullable=False),
        sa.Column("enrolled_at", sa.Text, nullable=False),
        sa.Column("enrolled_by", sa.Text, nullable=False),
        sa.Column("revoked", sa.Boolean, nullable=False),
        # Whenever peers must store something else, the next number of the directory.
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("revoked_at", sa.Text),
        # Since when it is retired.
        sa.Column("retired_at", sa.Text),
    )
    keys = sa.Table(
        "keys",
        METADATA,
        sa.Column("gateway", sa.Text, sa.ForeignKey("gateways.name"), primary_key=True),
        sa.Column("serial", sa.Integer, primary_key=True),
        sa.Column("algorithm", sa.Text, nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("revoked_at", sa.Text),
    )
    # A peer has stored everything up to that revision.
    marks = sa.Table(
        "marks",
        METADATA,
        sa.Column("peer", sa.Text, sa.ForeignKey("gateways.name"), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
    )
    # Only where that says less, or more, than is so.
    acknowledgements = sa.Table(
        "acknowledgements",
        METADATA,
        sa.Column("peer", sa.Text, sa.ForeignKey("gateways.name"), primary_key=True),
        sa.Column("gateway", sa.Text, sa.ForeignKey("gateways.name"), primary_key=True),
        sa.Column("serial", sa.Integer, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
    )
    rotations = sa.Table(
        "rotations",
        METADATA,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("gateway", sa.Text, sa.ForeignKey("gateways.name"), nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("strategy", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("old_serial", sa.Integer, nullable=False),
        sa.Column("new_serial", sa.Integer),
        sa.Column("why", sa.Text),
        sa.Column("begun_by", sa.Text, nullable=False),
        sa.Column("begun_at", sa.Text, nullable=False),
        sa.Column("holder", JSON, nullable=False),
        sa.Column("lease_until", sa.Text, nullable=False),
        sa.Column("ended_at", sa.Text),
        sa.Column("signature", sa.Text, nullable=False),
    )
    sa.Index(
        "one_open_rotation",
        rotations.c.gateway,
        unique=True,
        sqlite_where=rotations.c.ended_at.is_(None),
        postgresql_where=rotations.c.ended_at.is_(None),
    )
    events = sa.Table(
        "events",
        METADATA,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("gateway", sa.Text),
        sa.Column("peer", sa.Text),
        sa.Column("outcome", sa.Text),
        sa.Column("why", sa.Text),
        sa.Column("details", JSON),
        # Over this and all events before it.
        sa.Column("hash", sa.Text),
    )
    # Of every record the hash that is signed by the newest checkpoint.
    leaves = sa.Table(
        "leaves",
        METADATA,
        sa.Column("place", sa.Text, primary_key=True),
        sa.Column("hash", sa.Text, nullable=False),
    )
    checkpoints = sa.Table(
        "checkpoints",
        METADATA,
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("note", sa.Text, nullable=False),
        # Over this and all checkpoints before it.
        sa.Column("hash", sa.Text, nullable=False),
    )
    directory_keys = sa.Table(
        "directory_keys",
        METADATA,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False, unique=True),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("retired_at", sa.Text),
        sa.Column("signature", sa.Text, nullable=False),
    )


def table(name: str) -> sa.Table:
    found: sa.Table = globals()[name]
    return found
