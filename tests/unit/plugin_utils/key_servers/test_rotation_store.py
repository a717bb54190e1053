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
FACTS = Facts((CoopFact(("15.7", "17.9"), "splits"),), (RekeyFact("17.9", "1.0.4", "in_band"),))


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_comes_back_as_it_was(record: Rotation, tmp_path: Path) -> None:
    RotationStore(str(tmp_path / "records")).keep(record, "1234")
    again = RotationStore(str(tmp_path / "records"))
    assert again.rotation("EUROPE", "1234") == record
    assert again.rotation("EUROPE", "1235") is None
    assert again.rotation("europe", "1234") is None


def test_what_releases_do_comes_back_and_is_of_all_groups(tmp_path: Path) -> None:
    assert RotationStore(str(tmp_path)).facts() == Facts()
    assert not list(tmp_path.iterdir()), "nothing is written by looking"
    RotationStore(str(tmp_path)).keep_facts(FACTS)
    assert RotationStore(str(tmp_path)).facts() == FACTS


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    RotationStore(str(tmp_path / "records")).keep(RECORDS[0], None)
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
    store.keep(RECORDS[1], "1234")
    (path,) = tmp_path.glob("group-*.json")
    path.write_text(damage(path.read_text()))  # type: ignore[operator]
    with pytest.raises(VpnKeysError) as caught:
        RotationStore(str(tmp_path)).rotation("EUROPE", "1234")
    assert caught.value.code == "tampered"


def test_the_record_of_one_group_is_not_taken_for_that_of_another(tmp_path: Path) -> None:
    store = RotationStore(str(tmp_path))
    store.keep(RECORDS[1], "1234")
    (first,) = tmp_path.glob("group-*.json")
    store.keep(Rotation("ASIA", "OLD", "NEW"), "99")
    (second,) = set(tmp_path.glob("group-*.json")) - {first}
    shutil.copy(first, second)
    with pytest.raises(VpnKeysError, match="does not bear the signature"):
        RotationStore(str(tmp_path)).rotation("ASIA", "99")


def test_a_record_of_another_version_is_no_mistake_of_the_user(tmp_path: Path) -> None:
    store = RotationStore(str(tmp_path))
    store._write("releases", {"coop": [{"something": "else"}], "rekey": []})
    with pytest.raises(VpnKeysError, match="was written by another version"):
        store.facts()


def test_names_of_groups_make_no_paths(tmp_path: Path) -> None:
    record = Rotation("../../etc/passwd", "OLD", "NEW")
    RotationStore(str(tmp_path)).keep(record, None)
    assert len(list(tmp_path.glob("group-*.json"))) == 1
    assert RotationStore(str(tmp_path)).rotation("../../etc/passwd", None) == record
