# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of a rotation comes back as it was, and nothing else does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation import (
    Baseline,
    CoopFact,
    Facts,
    Member,
    RekeyFact,
    Rotation,
    Trial,
)
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.live_group import LiveGroup
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.rotation_store import RotationStore

MEMBER = Member("198.51.100.1", "1.0.4", "ks1", 5, 5, 0)
RECORDS = [
    Rotation("EUROPE", "OLD", "NEW"),
    Rotation("EUROPE", "OLD", "NEW", "canary", trial=Trial("ks2", 17, 1_800_000_000.5)),
    Rotation(
        "EUROPE", "OLD", "NEW", "learning", None, Baseline((MEMBER,), (("ks1", 4),), 12.5), True, False, 99.0, 0,
        ("1.0.3",),
    ),
]  # fmt: skip
FACTS = Facts(
    (CoopFact(("15.7", "17.9"), "splits", ("ks1", "ks2")),), (RekeyFact("17.9", "1.0.4", "in_band", ("ks1",)),)
)


def live(name: str, identity: str | None, *hosts: str, **others: str) -> LiveGroup:
    """A group of that name on these key servers, or on two; some call it otherwise."""
    names = {**dict.fromkeys(hosts or ("ks1", "ks2"), name), **others}
    return LiveGroup(min(names.values()), identity, names)


EUROPE = live("EUROPE", "1234")


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_comes_back_as_it_was(record: Rotation, tmp_path: Path) -> None:
    RotationStore(str(tmp_path / "records")).keep(record, EUROPE)
    again = RotationStore(str(tmp_path / "records"))
    assert again.rotation(EUROPE) == record
    assert again.rotation(live("EUROPE", "1235")) is None
    assert again.rotation(live("europe", None)) is None


def test_what_releases_do_comes_back_and_is_of_all_groups(tmp_path: Path) -> None:
    assert RotationStore(str(tmp_path)).facts() == Facts()
    assert not list(tmp_path.iterdir()), "nothing is written by looking"
    RotationStore(str(tmp_path)).keep_facts(FACTS)
    again = RotationStore(str(tmp_path)).facts()
    assert again == FACTS
    assert (again.coop[0].seen_on, again.rekey[0].seen_on) == (("ks1", "ks2"), ("ks1",))


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    RotationStore(str(tmp_path / "records")).keep(RECORDS[0], live("EUROPE", None))
    assert (tmp_path / "records").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "records").iterdir()} == {0o600}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace('"canary"', '"verified"'),
        lambda text: text.replace('"NEW"', '"MINE"'),
        lambda text: text[:-10],
        lambda text: "[]",
        lambda text: json.dumps({"record": json.loads(text)["record"]}),
    ],
)
def test_what_was_not_signed_here_is_refused(damage: object, tmp_path: Path) -> None:
    store = RotationStore(str(tmp_path))
    store.keep(RECORDS[1], EUROPE)
    (path,) = tmp_path.glob("group-*.json")
    path.write_text(damage(path.read_text()))  # type: ignore[operator]
    with pytest.raises(VpnKeysError) as caught:
        RotationStore(str(tmp_path)).rotation(EUROPE)
    assert caught.value.code == "tampered"


def test_the_record_of_one_group_is_not_taken_for_that_of_another(tmp_path: Path) -> None:
    store = RotationStore(str(tmp_path))
    store.keep(RECORDS[1], EUROPE)
    (first,) = tmp_path.glob("group-*.json")
    store.keep(Rotation("ASIA", "OLD", "NEW"), live("ASIA", "99"))
    (second,) = set(tmp_path.glob("group-*.json")) - {first}
    shutil.copy(first, second)
    with pytest.raises(VpnKeysError, match="does not have the signature"):
        RotationStore(str(tmp_path)).rotation(live("ASIA", "99"))


def test_a_record_of_another_version_is_no_mistake_of_the_user(tmp_path: Path) -> None:
    store = RotationStore(str(tmp_path))
    store._write("releases", {"coop": [{"something": "else"}], "rekey": []})
    with pytest.raises(VpnKeysError, match="was written by another version"):
        store.facts()


def test_names_of_groups_make_no_paths(tmp_path: Path) -> None:
    record = Rotation("../../etc/passwd", "OLD", "NEW")
    RotationStore(str(tmp_path)).keep(record, live(record.group, None))
    assert len(list(tmp_path.glob("group-*.json"))) == 1
    assert RotationStore(str(tmp_path)).rotation(live(record.group, None)) == record


@pytest.mark.parametrize(
    "liar",
    [
        live("EUROPE", "1234", ks2="AAA"),
        live("EUROPE", "1234", "ks1", ks2="AAA", ks3="AAA"),
        live("AAA", "1234", "ks2"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_another_name_for_a_group_hides_no_rotation_that_is_under_way(
    liar: LiveGroup, first: bool, tmp_path: Path
) -> None:
    """Whether it is taken before the rotation, or after; and no second record is begun."""
    store = RotationStore(str(tmp_path))
    before, after = (liar, EUROPE) if first else (EUROPE, liar)
    store.keep(RECORDS[1], before)
    assert store.rotation(after) == RECORDS[1]
    store.keep(RECORDS[2], after)
    assert store.rotation(before) == store.rotation(after) == RECORDS[2]
    assert len(list(tmp_path.glob("group-*.json"))) == 1


def test_an_identity_that_is_missing_on_all_or_comes_up_hides_nothing_either(tmp_path: Path) -> None:
    store = RotationStore(str(tmp_path))
    store.keep(RECORDS[1], live("EUROPE", None))
    assert store.rotation(EUROPE) == RECORDS[1]


def test_a_group_of_the_same_name_on_other_key_servers_gets_no_record_of_it(tmp_path: Path) -> None:
    store = RotationStore(str(tmp_path))
    store.keep(RECORDS[2], EUROPE)
    other = live("EUROPE", "1234", "ks9")
    with pytest.raises(VpnKeysError, match="on other key servers, ks1, ks2"):
        store.rotation(other)
    with pytest.raises(VpnKeysError, match="on other key servers, ks1, ks2"):
        store.keep(RECORDS[0], other)
    assert store.rotation(EUROPE) == RECORDS[2]


def test_a_record_that_cannot_be_read_stops_its_own_group_alone(tmp_path: Path) -> None:
    store = RotationStore(str(tmp_path))
    store.keep(RECORDS[1], EUROPE)
    (path,) = tmp_path.glob("group-*.json")
    path.write_text("{}")
    assert store.rotation(live("ASIA", "99", "ks2")) is None
