# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first tables."""

from __future__ import annotations

import typing as t

try:
    import sqlalchemy as sa
except ImportError:  # the modules name the missing library
    pass

revision = "r0001"
down_revision = None


def upgrade() -> None:
    from alembic import op

    json = sa.JSON(none_as_null=True)
    op.create_table("directory", sa.Column("id", sa.Text, primary_key=True))
    _gateways(op, json)
    _rotations(op, json)
    _others(op, json)


def _gateways(op: t.Any, json: t.Any) -> None:
    op.create_table(
        "gateways",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("algorithm", sa.Text, nullable=False),
        sa.Column("identity", sa.Text),
        sa.Column("endpoint", sa.Text),
        sa.Column("networks", json, nullable=False),
        sa.Column("enrolled_at", sa.Text, nullable=False),
        sa.Column("enrolled_by", sa.Text, nullable=False),
        sa.Column("revoked", sa.Boolean, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
    )
    op.create_table(
        "keys",
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
    )
    op.create_table(
        "acknowledgements",
        sa.Column("peer", sa.Text, sa.ForeignKey("gateways.name"), primary_key=True),
        sa.Column("gateway", sa.Text, sa.ForeignKey("gateways.name"), primary_key=True),
        sa.Column("serial", sa.Integer, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
    )


def _rotations(op: t.Any, json: t.Any) -> None:
    op.create_table(
        "rotations",
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
        sa.Column("holder", json, nullable=False),
        sa.Column("lease_until", sa.Text, nullable=False),
        sa.Column("ended_at", sa.Text),
        sa.Column("signature", sa.Text, nullable=False),
    )
    still_open = sa.text("ended_at IS NULL")
    op.create_index(
        "one_open_rotation",
        "rotations",
        ["gateway"],
        unique=True,
        sqlite_where=still_open,
        postgresql_where=still_open,
    )


def _others(op: t.Any, json: t.Any) -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("gateway", sa.Text),
        sa.Column("peer", sa.Text),
        sa.Column("outcome", sa.Text),
        sa.Column("why", sa.Text),
        sa.Column("details", json),
    )
    op.create_table(
        "directory_keys",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False, unique=True),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("retired_at", sa.Text),
        sa.Column("signature", sa.Text, nullable=False),
    )
