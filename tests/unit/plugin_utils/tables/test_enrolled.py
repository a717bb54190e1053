# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from unit.fleet.samples import mesh

from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import Observation, absent
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.outcome import enrolled, without_an_answer
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables import gateways


def test_every_gateway_with_its_key_and_where_the_directory_is() -> None:
    directory = Directory.from_result(mesh(2)[0])
    rows = enrolled(directory)
    assert [row["gateway"] for row in rows] == list(directory.in_use)
    assert all(row["fingerprint"] == directory.gateways[row["gateway"]].fingerprint for row in rows)
    places = {"where": "/var/lib/d.db", "signing_key_path": "/var/lib/d.db.key", "signing_key_url": None}
    found = {"gateways": rows, **places, "without_key": []}
    text = gateways.enrolled(found, False, 100)
    for words in (*directory.in_use, "The directory is /var/lib/d.db.", "Its signing key is /var/lib/d.db.key."):
        assert words in text
    hidden = gateways.enrolled({**found, "where": None, "signing_key_path": None}, False, 100)
    engine = {"signing_key_path": None, "signing_key_url": "vault://transit/keys/vpn"}
    in_vault = gateways.enrolled({**found, **engine}, False, 100)
    assert "Its signing key is vault://transit/keys/vpn." in in_vault
    told = " ".join(in_vault.split())
    assert "Keep a copy of the directory; the signing key stays in Vault. Without both, no gateway" in told
    assert "Keep a copy of both" not in told
    assert "directory" not in hidden


def test_check_mode_says_what_would_be_and_gives_no_advice_about_files_that_do_not_exist() -> None:
    found = {
        "gateways": enrolled(Directory.from_result(mesh(2)[0])), "where": "/var/lib/d.db", "signing_key_url": None,
        "signing_key_path": "/var/lib/d.db.key", "without_key": ["gw3"],
    }  # fmt: skip
    text = gateways.enrolled(found, True, 100)
    assert text.startswith("Would be enrolled (check mode)\n")
    assert "Would generate their first key, and be enrolled with it: gw3." in text
    assert not [words for words in ("d.db", "copy", "directory is") if words in text]


def test_no_table_without_a_row() -> None:
    places = {"where": "/d.db", "signing_key_path": "/d.db.key", "signing_key_url": None}
    text = gateways.enrolled({"gateways": (), **places, "without_key": ()}, False, 100)
    assert text.strip().startswith("Enrolled: no gateway.")
    assert "serial" not in text


def test_why_a_gateway_could_not_be_enrolled_is_said_once_for_all_with_the_same_reason() -> None:
    away = {name: Observation(name, "unreachable", "unreachable", advice="Check it.") for name in ("gw1", "gw2")}
    others = {"gw3": Observation("gw3", "refused", "full"), "gw4": absent("gw4"), "gw5": Observation("gw5", "ready")}
    assert without_an_answer(away | others) == ["gw1, gw2: unreachable. Check it.", "gw3: full."]
