# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One number for each change of what peers must store, one mark for each peer; when keys and gateways were revoked.

The acknowledgements stay as they are: whoever upgrades turns them into marks, as that takes the signatures.
"""

from __future__ import annotations

try:
    import sqlalchemy as sa
except ImportError:  # the modules name the missing library
    pass

revision = "r0002"
down_revision = "r0001"


def upgrade() -> None:
    from alembic import op

    op.add_column("directory", sa.Column("revision", sa.Integer, nullable=False, server_default="0"))
    op.add_column("gateways", sa.Column("revoked_at", sa.Text))
    op.add_column("keys", sa.Column("revoked_at", sa.Text))
    op.create_table(
        "marks",
        sa.Column("peer", sa.Text, sa.ForeignKey("gateways.name"), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
    )
