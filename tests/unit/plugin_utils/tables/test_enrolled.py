# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from unit.fleet.samples import mesh

from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.outcome import enrolled
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables import gateways


def test_every_gateway_with_its_key_and_where_the_directory_is() -> None:
    directory = Directory.from_result(mesh(2)[0])
    rows = enrolled(directory)
    assert [row["gateway"] for row in rows] == list(directory.in_use)
    assert all(row["fingerprint"] == directory.gateways[row["gateway"]].fingerprint for row in rows)
    places = {"where": "/var/lib/d.db", "signing_key_path": "/var/lib/d.db.key", "signing_key_url": None}
    found = {"gateways": rows, **places}
    text = gateways.enrolled(found, 100)
    for words in (*directory.in_use, "The directory is /var/lib/d.db.", "Its signing key is /var/lib/d.db.key."):
        assert words in text
    hidden = gateways.enrolled({**found, "where": None, "signing_key_path": None}, 100)
    engine = {"signing_key_path": None, "signing_key_url": "vault://transit/keys/vpn"}
    in_vault = gateways.enrolled({**found, **engine}, 100)
    assert "Its signing key is vault://transit/keys/vpn." in in_vault
    told = " ".join(in_vault.split())
    assert "Keep a copy of the directory; the signing key stays in Vault. Without both, no gateway" in told
    assert "Keep a copy of both" not in told
    assert "directory" not in hidden
