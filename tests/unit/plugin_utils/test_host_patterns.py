# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.vpnops.keys.plugins.filter.play_hosts import play_hosts
from ansible_collections.vpnops.keys.plugins.filter.within_limit import within_limit
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.plugin_utils import host_patterns

GROUPS = {
    "all": ["ks1", "ks2", "gw1"],
    "ungrouped": [],
    "key_servers": ["ks1", "ks2"],
    "gate-ways": ["gw1"],
    "empty": [],
}
NAMES = ["EUROPE", "ASIA-1", "ASIA-2", "A:B"]


@pytest.mark.parametrize(
    ("group", "limit", "hosts"),
    [
        ("key_servers", "", "key_servers"),
        ("key_servers", "ks2", "key_servers"),
        ("key_servers", "all:!ks1", "key_servers"),
        ("key_servers", "gate-ways,key_servers[1:2],!gw1", "key_servers"),
        ("key_servers", "gw1", "all:localhost"),
        ("key_servers", "!key_servers", "all:localhost"),
        ("key_servers", "nobody", "all:localhost"),
        ("nobody", "ks1", "all:localhost"),
        ("nobody", "", "localhost"),
        ("empty", "", "localhost"),
        ("empty", "ks1", "all:localhost"),
        (["key_servers", "nobody", "gate-ways"], "", "key_servers:gate-ways"),
        (["key_servers", "gate-ways"], "gw1", "key_servers:gate-ways"),
        (["empty", "nobody"], "", "localhost"),
    ],
)
def test_a_play_has_a_host_that_can_fail(group: str | list[str], limit: str, hosts: str) -> None:
    assert play_hosts(GROUPS, group, limit) == hosts


def test_a_limit_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "play.retry").write_text("ks2\n", encoding="utf-8")
    assert play_hosts(GROUPS, "key_servers", f"@{tmp_path}/play.retry") == "key_servers"
    assert play_hosts(GROUPS, "gate-ways", f"@{tmp_path}/play.retry") == "all:localhost"
    assert within_limit(GROUPS, f"@{tmp_path}/play.retry") == ["ks2"]


def test_whom_a_limit_leaves() -> None:
    assert within_limit(GROUPS) == within_limit(GROUPS, "all") == GROUPS["all"]
    assert within_limit(GROUPS, "gate-ways,ks*,!ks1") == ["ks2", "gw1"]
    assert within_limit(GROUPS, "nobody") == []


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["EUROPE"], ["EUROPE"]),
        (["ASIA-*"], ["ASIA-1", "ASIA-2"]),
        (["ASIA-2:EUROPE"], ["EUROPE", "ASIA-2"]),
        (["all:!ASIA-1"], ["EUROPE", "ASIA-2", "A:B"]),
        (["!ASIA-1", "!A?B"], ["EUROPE", "ASIA-2"]),
        (["ASIA-*", "&*-2"], ["ASIA-2"]),
        (["~ASIA-[12]"], ["ASIA-1", "ASIA-2"]),
        (["A?B"], ["A:B"]),
    ],
)
def test_names_are_chosen_as_ansible_chooses_hosts(patterns: list[str], found: list[str]) -> None:
    assert host_patterns.chosen(NAMES, patterns, "O(only_groups)") == found


@pytest.mark.parametrize(
    ("patterns", "culprit"),
    [
        (["EUROP"], "EUROP"),
        (["EUROPE,ASAI-1"], "ASAI-1"),
        (["EUROPE", "AFRICA*"], "AFRICA*"),
        (["EUROPE:!EUROPE"], "EUROPE:!EUROPE"),
    ],
)
def test_a_pattern_that_chooses_nothing_is_named(patterns: list[str], culprit: str) -> None:
    with pytest.raises(VpnKeysError) as caught:
        host_patterns.chosen(NAMES, patterns, "O(only_groups)")
    assert str(caught.value) == (
        f"only_groups matches nothing: {culprit}. Nothing was done; the key servers serve EUROPE, ASIA-1, ASIA-2, A:B."
    )


SEVERAL = [{"EUROPE"}, {"ASIA-1", "AAA"}, {"ASIA-2"}]


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["ASIA-1"], [False, True, False]),
        (["AAA"], [False, True, False]),
        (["ASIA-*"], [False, True, True]),
        (["all:!ASIA-1"], [True, False, True]),
        (["*", "!AAA"], [True, False, True]),
        (["all", "!ASIA-*"], [True, False, False]),
    ],
)
def test_one_more_name_neither_hides_a_thing_nor_brings_it_in(patterns: list[str], found: list[bool]) -> None:
    assert host_patterns.meant(SEVERAL, patterns, "O(only_groups)") == found


def test_patterns_that_exclude_all_that_they_choose_are_a_mistake() -> None:
    with pytest.raises(VpnKeysError) as caught:
        host_patterns.meant(SEVERAL, ["AAA", "!ASIA-1"], "O(only_groups)")
    assert str(caught.value) == (
        "only_groups excludes every group that it names: AAA, !ASIA-1. Nothing was done; "
        "the key servers serve EUROPE, AAA, ASIA-1, ASIA-2."
    )
