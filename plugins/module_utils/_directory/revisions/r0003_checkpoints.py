# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signed checkpoints over all records, events that are chained, and gateways that are retired.

Whoever upgrades makes the first checkpoint, as that takes the signing key.
"""

from __future__ import annotations

try:
    import sqlalchemy as sa
except ImportError:  # the modules name the missing library
    pass

revision = "r0003"
down_revision = "r0002"


def upgrade() -> None:
    from alembic import op

    op.add_column("gateways", sa.Column("retired_at", sa.Text))
    op.add_column("events", sa.Column("hash", sa.Text))
    op.create_table(
        "leaves",
        sa.Column("place", sa.Text, primary_key=True),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_table(
        "checkpoints",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
