# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each state does to the records and writes into the history, and every sentence with which it refuses."""

from __future__ import annotations

import typing as t

import pytest
from unit.directory.samples import NOW, Data, Records, acknowledgements, gateway, key_of, names, pending_now, run_by

from ansible_collections.vpnops.keys.plugins.module_utils import _public_key

ED25519 = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
RSA = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlzMONamwmAErJoKOGXvWGdJ53nfPo2sXGrykLjeAjEqIs8Btslc4eIeZDREujmRE"
    "vCdj4jWiCO6X6+oyX5Lv8OnOWAG7eYWFe4KaZC2yg3JIIic46mETI64sVRKRj/nnYL6pI+AhbFrrv4tCDO7gqmvjQSFrKIAIIEgwEZaeLvYS"
    "cOt8W+49bzNmw3ywbykZoOn491ldr+906nqakrcC5vLjUbgqk1fZdSr/yc1RN4tkOaUoguBCl2Mt7ifuuR8an8lCoKrc1F3Sd/CKejlgpogl"
    "EqJKpIX+5eHyb4ZIZXwVbdJbryUJ5PKWr8TAPbIAQFVKvDOwxT0Xz5fibn0S+QIDAQAB"
)
LATER = "2026-11-22T03:20:00Z"
Step = tuple[str, Data]


def fp(name: str, serial: int = 1) -> str:
    return _public_key.parse(key_of(name, serial)).fingerprint


def short(name: str, serial: int = 1) -> str:
    return fp(name, serial)[:12]


def new(name: str, serial: int = 2) -> list[Data]:
    return [{"gateway": name, "public_key": key_of(name, serial)}]


@pytest.fixture
def records() -> Records:
    """gw1, gw2 and gw3 have keys, and swan has none yet."""
    found = Records()
    found.do(gateways=[gateway(name, key_of(name)) for name in ("gw1", "gw2", "gw3")])
    found.do(gateways=[{"name": "swan", "platform": "strongswan"}])
    return found


PREPARED: Step = ("prepared", {"gateways": names("gw1")})
EMERGENCY: Step = ("prepared", {"gateways": names("gw1"), "mode": "emergency"})
KEY_STAGED: Step = ("staged", {"keys": new("gw1")})
STAGED: Step = ("staged", {"gateways": names("gw1"), "minimum_share": 0})
ACTIVE: Step = ("active", {"gateways": names("gw1")})
REVOKED: Step = ("revoked", {"gateways": names("gw1")})
RENAME = "rename it in the inventory (letters, digits and _.:@- only), and set its address in ansible_host."
LOST: Step = ("revoked", {"gateways": names("gw1"), "lost": True})
ABORTED: Step = ("rolled_back", {"gateways": names("gw1")})


def walk(records: Records, *steps: Step) -> list[Data]:
    """The events of the last step."""
    events: list[Data] = []
    for state, given in steps:
        events = records.do(state, **given)
    return events


# -- refusals

REFUSALS: dict[str, tuple[tuple[Step, ...], Step, str, str]] = {
    "unknown": (
        (),
        ("prepared", {"gateways": names("gw9")}),
        "not_found",
        (
            "The directory has no gateway gw9. Nothing was changed; check the name, or enroll it with "
            "state=present."
        ),
    ),
    "lost": (
        (LOST,),
        PREPARED,
        "refused",
        "gw1 is revoked as lost. Nothing was changed; a gateway that replaces it needs another name.",
    ),
    "lost, and enrolled again": (
        (LOST,),
        ("present", {"gateways": [gateway("gw1", key_of("gw1", 2))]}),
        "refused",
        "gw1 is revoked as lost. Nothing was changed; a gateway that replaces it needs another name.",
    ),
    "no name": (
        (),
        ("present", {"gateways": [gateway("gw 1")]}),
        "bad_input",
        f"'gw 1' is not a valid name of a gateway. Nothing was changed; {RENAME}",
    ),
    "too long a name is cut off": (
        (),
        ("present", {"gateways": [gateway("g" * 254)]}),
        "bad_input",
        f"'{'g' * 80}' is not a valid name of a gateway. Nothing was changed; {RENAME}",
    ),
    "no platform": (
        (),
        ("present", {"gateways": [{"name": "gw9"}]}),
        "bad_input",
        "gw9: platform is missing. Nothing was changed.",
    ),
    "an algorithm that the platform does not have": (
        (),
        ("present", {"gateways": [gateway("gw9", algorithm="rsa")]}),
        "bad_input",
        "gw9: wireguard does not support keys of the algorithm rsa, only x25519. Nothing was changed.",
    ),
    "an algorithm that the platform does not have either": (
        (),
        ("present", {"gateways": [{"name": "gw9", "platform": "strongswan", "algorithm": "x25519"}]}),
        "bad_input",
        "gw9: strongswan does not support keys of the algorithm x25519, only ed25519 or rsa. Nothing was changed.",
    ),
    "no networks": (
        (),
        ("present", {"gateways": [gateway("gw9", networks=["10.79.1.0/24", "10.79.1.300/24"])]}),
        "bad_input",
        "gw9: one of its networks is not a network such as 10.79.1.0/24. Nothing was changed.",
    ),
    "no public key": (
        (),
        ("present", {"gateways": [gateway("gw9", "AAAA")]}),
        "bad_public_key",
        (
            "gw9: This is not a public key that a gateway can have: it is neither an X25519, an Ed25519 nor an "
            "RSA key. Nothing was changed."
        ),
    ),
    "a key of another algorithm": (
        (),
        ("present", {"gateways": [gateway("gw9", ED25519, algorithm="x25519")]}),
        "bad_public_key",
        "gw9: its key is ed25519, which wireguard cannot use. Nothing was changed.",
    ),
    "a key that another gateway has": (
        (),
        ("present", {"gateways": [gateway("gw9", key_of("gw2"))]}),
        "duplicate_key",
        (
            f"gw9: the key {short('gw2')} already belongs to gw2 (serial 1, current), and a key is never used twice. "
            "Nothing was changed; generate a new key on gw9."
        ),
    ),
    "a key beside both of a rotation": (
        (PREPARED, KEY_STAGED),
        ("present", {"gateways": [gateway("gw1", key_of("gw1", 3))], "adopt": True}),
        "conflict",
        (
            f"gw1 reports the key {short('gw1', 3)}, which is neither the old nor the new one of its open rotation. "
            "Nothing was changed; abort the rotation first."
        ),
    ),
    "another key": (
        (),
        ("present", {"gateways": [gateway("gw1", key_of("gw1", 2))]}),
        "conflict",
        (
            f"gw1 reports the key {short('gw1', 2)}, and the directory has {short('gw1')} (serial 1). Nothing was "
            "changed; if the gateway is right, set adopt."
        ),
    ),
    "another key after the old one was revoked": (
        (REVOKED,),
        ("present", {"gateways": [gateway("gw1", key_of("gw1", 2))]}),
        "conflict",
        (
            f"gw1 reports the key {short('gw1', 2)}, and the directory has no valid key. Nothing was changed; if the "
            "gateway is right, set adopt."
        ),
    ),
    "nothing to rotate": (
        (),
        ("prepared", {"gateways": names("swan")}),
        "wrong_state",
        (
            "swan has no key in the directory that could be replaced. Nothing was changed; enroll its key with "
            "state=present."
        ),
    ),
    "another strategy in the middle": (
        (PREPARED, KEY_STAGED, STAGED),
        ("prepared", {"gateways": names("gw1"), "strategy": "second_interface"}),
        "wrong_state",
        (
            "The rotation of gw1 is staged with the strategy in_place. Nothing was changed; continue with that "
            "strategy, or abort the rotation."
        ),
    ),
    "a new key without a rotation": (
        (),
        KEY_STAGED,
        "wrong_state",
        "No rotation of gw1 is open. Nothing was changed; start one with state=prepared.",
    ),
    "a new key after the rotation": (
        (PREPARED, ABORTED),
        KEY_STAGED,
        "wrong_state",
        "No rotation of gw1 is open. Nothing was changed; start one with state=prepared.",
    ),
    "a rotation without a new key": (
        (PREPARED,),
        ("staged", {"keys": [{"gateway": "gw1", "public_key": None}]}),
        "bad_input",
        "gw1: its new public key is missing. Nothing was changed.",
    ),
    "a new key that is none": (
        (PREPARED,),
        ("staged", {"keys": [{"gateway": "gw1", "public_key": "AAAA"}]}),
        "bad_public_key",
        (
            "gw1: This is not a public key that a gateway can have: it is neither an X25519, an Ed25519 nor an "
            "RSA key. Nothing was changed."
        ),
    ),
    "another new key after the change": (
        (PREPARED, KEY_STAGED, STAGED, ACTIVE),
        ("staged", {"keys": new("gw1", 3)}),
        "wrong_state",
        "The rotation of gw1 is active with another key. Nothing was changed; finish or abort it first.",
    ),
    "staged without a new key": (
        (PREPARED,),
        STAGED,
        "wrong_state",
        "The rotation of gw1 has no new key yet. Nothing was changed; record it with state=staged and keys.",
    ),
    "staged on too few": (
        (PREPARED, KEY_STAGED, ("prepared", {"gateways": names("gw2")}), ("staged", {"keys": new("gw2")})),
        (
            "staged",
            {"acknowledgements": acknowledgements("gw1", "gw2", role="staged"), "gateways": names("gw2", "gw1")},
        ),
        "too_few",
        (
            "Fewer than 100 percent of the peers hold the new key (gw2: 0 of 2 peers, not yet gw1, gw3; gw1: 1 of 2 "
            "peers, not yet gw3). Nothing was changed; make those peers reachable, or allow a smaller minimum_share."
        ),
    ),
    "staged, but what": (
        (),
        ("staged", {}),
        "bad_input",
        "state=staged needs keys, acknowledgements or gateways. Nothing was changed.",
    ),
    "repaired without a key": (
        (("forge", {"what": ("gateway", "gw1", None)}),),
        ("present", {"gateways": [gateway("gw1")], "repair": True}),
        "bad_input",
        "gw1 can be repaired only with the public key that it reports itself, in public_key. Nothing was changed.",
    ),
    "tampered with": (
        (("forge", {"what": ("gateway", "gw1", None)}), ("forge", {"what": ("key", "gw1", 1)})),
        PREPARED,
        "tampered",
        (
            "gw1: its records (gateway, key 1) are not as the directory signed them, so the database was "
            "modified outside vpnops.keys. Nothing was changed; restore the database from a backup, or enroll the "
            "gateway again with state=present and repair=true, with the public key that the gateway itself reports."
        ),
    ),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_refused(records: Records, why: str) -> None:
    steps, (state, given), code, sentence = REFUSALS[why]
    for step, options in steps:
        if step == "forge":
            records.forged.append(options["what"])
        else:
            records.do(step, **options)
    assert records.refused(state, **given) == (code, sentence)


@pytest.mark.parametrize("given", [None, []])
@pytest.mark.parametrize("state", ["prepared", "active", "verified", "retired", "rolled_back", "revoked"])
def test_a_step_of_no_gateway(records: Records, state: str, given: list[Data] | None) -> None:
    sentence = f"state={state} needs gateways. Nothing was changed."
    assert records.refused(state, gateways=given) == ("bad_input", sentence)


@pytest.mark.parametrize("state", ["prepared", "active", "verified", "retired", "rolled_back", "revoked", "staged"])
def test_no_step_goes_on_with_forged_records(records: Records, state: str) -> None:
    walk(records, PREPARED, KEY_STAGED, STAGED)
    records.forged.append(("rotation", "gw1", None))
    code, sentence = records.refused(state, gateways=names("gw1"))
    assert code == "tampered"
    assert "(rotation)" in sentence
    assert records.do("prepared", gateways=names("gw2"))


# -- enrollment


@pytest.mark.parametrize("name", ["g", "_", "g" * 253, "9.gw:1@site-2_b"])
def test_names_that_are_names(name: str) -> None:
    records = Records()
    records.do(gateways=[gateway(name)])
    assert list(records.snapshot.gateways) == [name]


@pytest.mark.parametrize("name", ["", "-gw", ".gw", "gw/1", "gw1\n", "g" * 254])
def test_names_that_are_none(name: str) -> None:
    code, sentence = Records().refused(gateways=[gateway(name)])
    assert (code, sentence.partition(" ")[0]) == ("bad_input", repr(name[:80]))


def test_the_records_of_an_enrolled_gateway() -> None:
    records = Records()
    given = gateway("gw1", key_of("gw1"), identity="one.example.net", networks=["10.79.1.7/24", "2001:db8::1/64"])
    events = records.do(gateways=[given], who={"by": "bob", "why": "new site"})
    assert records.snapshot.gateways == {
        "gw1": {
            "name": "gw1",
            "platform": "wireguard",
            "algorithm": "x25519",
            "identity": "one.example.net",
            "endpoint": "gw1.example.net:51820",
            "networks": ["10.79.1.0/24", "2001:db8::/64"],
            "enrolled_at": NOW,
            "enrolled_by": "bob",
            "revoked": False,
            "revoked_at": None,
            "retired_at": None,
            "revision": 1,
            "signature": "",
        }
    }
    assert records.snapshot.keys == {
        ("gw1", 1): {
            "gateway": "gw1",
            "serial": 1,
            "algorithm": "x25519",
            "public_key": key_of("gw1"),
            "fingerprint": fp("gw1"),
            "state": "current",
            "created_at": NOW,
            "created_by": "bob",
            "reason": "new site",
            "revoked_at": None,
            "signature": "",
        }
    }
    told = {"at": NOW, "by": "bob", "gateway": "gw1", "peer": None, "outcome": "done", "why": "new site"}
    assert events == [
        {**told, "what": "enrolled", "details": None},
        {**told, "what": "key enrolled", "details": {"serial": 1, "fingerprint": fp("gw1")}},
    ]


@pytest.mark.parametrize(
    ("given", "algorithm"),
    [
        ({"platform": "wireguard"}, "x25519"),
        ({"platform": "strongswan"}, "ed25519"),
        ({"platform": "strongswan", "algorithm": "rsa"}, "rsa"),
        ({"platform": "strongswan", "public_key": ED25519}, "ed25519"),
        ({"platform": "strongswan", "public_key": RSA}, "rsa"),
        ({"platform": "strongswan", "public_key": RSA, "algorithm": "ed25519"}, "ed25519"),
    ],
)
def test_the_algorithm_of_the_next_key(given: Data, algorithm: str) -> None:
    records = Records()
    records.do(gateways=[{"name": "gw1", **given}])
    assert records.snapshot.gateways["gw1"]["algorithm"] == algorithm
    for key in records.snapshot.keys.values():
        assert key["algorithm"] == ("rsa" if given["public_key"] == RSA else "ed25519")
    records.do(gateways=[{"name": "gw1", "endpoint": "192.0.2.1:1"}])
    assert records.snapshot.gateways["gw1"]["algorithm"] == algorithm


def test_an_update_tells_what_was_there_before(records: Records) -> None:
    given = {"name": "gw1", "endpoint": "192.0.2.1:1", "networks": ["10.79.1.0/24"], "identity": None}
    (event,) = records.do(gateways=[given])
    assert (event["what"], event["gateway"], event["outcome"]) == ("updated", "gw1", "done")
    assert event["details"] == {"before": {"endpoint": "gw1.example.net:51820", "networks": []}}
    row = records.snapshot.gateways["gw1"]
    assert (row["endpoint"], row["networks"], row["platform"]) == ("192.0.2.1:1", ["10.79.1.0/24"], "wireguard")
    assert records.do(gateways=[given]) == []
    (event,) = records.do(gateways=[{"name": "gw1", "networks": []}])
    assert event["details"] == {"before": {"networks": ["10.79.1.0/24"]}}


def test_an_adopted_key(records: Records) -> None:
    (event,) = records.do(gateways=[gateway("gw1", key_of("gw1", 2))], adopt=True)
    assert (event["what"], event["gateway"], event["outcome"]) == ("adopted", "gw1", "done")
    assert event["details"] == {"serial": 2, "fingerprint": fp("gw1", 2)}
    assert records.states("gw1") == {1: "retired", 2: "current"}
    assert records.states("gw2") == {1: "current"}


def test_a_key_is_adopted_where_none_is_valid_any_more(records: Records) -> None:
    walk(records, REVOKED)
    records.do(gateways=[gateway("gw1", key_of("gw1", 2))], adopt=True)
    assert records.states("gw1") == {1: "revoked", 2: "current"}


def test_either_key_of_a_rotation_may_be_shown(records: Records) -> None:
    walk(records, PREPARED, KEY_STAGED, STAGED)
    for step in (None, ACTIVE):
        walk(records, *([step] if step else []))
        for serial in (1, 2):
            assert records.do(gateways=[gateway("gw1", key_of("gw1", serial))], adopt=True) == []


def test_a_key_from_before_the_rotation_is_refused_during_it(records: Records) -> None:
    records.do(gateways=[gateway("gw1", key_of("gw1", 2))], adopt=True)
    walk(records, PREPARED)
    code, dummy = records.refused(gateways=[gateway("gw1", key_of("gw1", 1))], adopt=True)
    assert code == "conflict"


# -- repairs


def repair(records: Records, serial: int = 1, **more: t.Any) -> list[Data]:
    who = {"now": LATER}
    return records.do(gateways=[gateway("gw1", key_of("gw1", serial), **more)], repair=True, who=who)


def test_a_repair_closes_the_rotation_and_retires_what_is_genuine(records: Records) -> None:
    walk(records, PREPARED, KEY_STAGED)
    records.forged.append(("gateway", "gw1", None))
    events = repair(records)
    assert [(one["what"], one["gateway"], one["outcome"]) for one in events] == [
        ("repaired", "gw1", "done"),
        ("enrolled", "gw1", "done"),
    ]
    assert events[0]["details"] == {"tampered": [{"gateway": "gw1", "serial": None, "what": "gateway"}]}
    assert records.states("gw1") == {1: "current", 2: "retired"}
    rotation = records.snapshot.rotations["gw1"]
    assert (rotation["state"], rotation["ended_at"]) == ("rolled_back", LATER)
    assert records.snapshot.gateways["gw1"]["enrolled_at"] == LATER


@pytest.mark.parametrize(
    ("forged", "shown", "states"),
    [
        (1, 2, {1: "revoked", 2: "current", 3: "revoked"}),
        (2, 1, {1: "current", 2: "revoked", 3: "revoked"}),
        (2, 2, {1: "retired", 2: "current", 3: "revoked"}),
        (2, 4, {1: "retired", 2: "revoked", 3: "revoked", 4: "current"}),
        (3, 2, {1: "retired", 2: "current", 3: "revoked"}),
    ],
)
def test_a_repair_believes_the_gateway_alone(records: Records, forged: int, shown: int, states: dict[int, str]) -> None:
    records.do(gateways=[gateway("gw1", key_of("gw1", 2))], adopt=True)
    walk(records, PREPARED, ("staged", {"keys": new("gw1", 3)}), ABORTED)
    assert records.states("gw1") == {1: "retired", 2: "current", 3: "revoked"}
    records.forged.append(("key", "gw1", forged))
    events = repair(records, shown)
    assert records.states("gw1") == states
    assert [one["what"] for one in events[2:]] == (["adopted"] if shown == 4 else [])
    assert records.snapshot.rotations["gw1"]["ended_at"] == NOW


@pytest.mark.parametrize("part", ["public_key", "fingerprint"])
def test_a_repair_is_not_deceived_by_half_of_the_key(records: Records, part: str) -> None:
    records.do(gateways=[gateway("gw1", key_of("gw1", 2))], adopt=True)
    other = key_of("evil") if part == "public_key" else fp("evil")
    records.snapshot.keys["gw1", 1][part] = other
    records.forged.append(("key", "gw1", 1))
    repair(records, 2)
    assert records.states("gw1") == {1: "revoked", 2: "current"}


def test_a_gateway_of_which_only_forged_keys_are_left_is_repaired(records: Records) -> None:
    del records.snapshot.gateways["gw1"]
    records.forged.append(("key", "gw1", 1))
    assert records.refused("prepared", gateways=names("gw1"))[0] == "tampered"
    assert [one["what"] for one in repair(records, 2)] == ["repaired", "enrolled", "adopted"]
    assert records.states("gw1") == {1: "revoked", 2: "current"}


def test_nothing_is_repaired_where_nothing_is_forged(records: Records) -> None:
    assert repair(records) == []


def test_only_the_forged_gateway_is_repaired(records: Records) -> None:
    records.forged.append(("gateway", "gw2", None))
    assert repair(records) == []
    both = [gateway(name, key_of(name)) for name in ("gw1", "gw2")]
    assert [(one["what"], one["gateway"]) for one in records.do(gateways=both, repair=True)] == [
        ("repaired", "gw2"),
        ("enrolled", "gw2"),
    ]


def test_what_is_forged_elsewhere_is_no_reason_to_doubt_a_key(records: Records) -> None:
    records.do(gateways=[gateway("gw1", key_of("gw1", 2))], adopt=True)
    records.forged += [("gateway", "gw1", None), ("key", "gw2", 1)]
    events = repair(records, 2)
    assert events[0]["details"] == {"tampered": [{"gateway": "gw1", "serial": None, "what": "gateway"}]}
    assert records.states("gw1") == {1: "retired", 2: "current"}


def test_a_repaired_gateway_has_to_be_stored_anew_and_has_nothing_stored(records: Records) -> None:
    """Whatever its number was made, and whatever was acknowledged before."""
    everybody = [{"peer": peer, "revision": 4} for peer in ("gw1", "gw2", "gw3")]
    records.do(learned=everybody)
    assert pending_now(records) == {}
    records.snapshot.gateways["gw1"]["revision"] = 1
    records.forged.append(("gateway", "gw1", None))
    repair(records)
    assert records.snapshot.gateways["gw1"]["revision"] == records.snapshot.revision == 5
    records.forged.clear()
    assert pending_now(records) == {"gw1": ["gw2", "gw3"], "gw2": ["gw1"], "gw3": ["gw1"]}


# -- revisions


def revisions(records: Records) -> dict[str, int]:
    return {name: row["revision"] for name, row in records.snapshot.gateways.items()}


def test_every_change_of_what_peers_store_has_the_next_number(records: Records) -> None:
    assert revisions(records) == {"gw1": 1, "gw2": 2, "gw3": 3, "swan": 4}
    records.do(gateways=[gateway(name, endpoint="192.0.2.1:1") for name in ("gw3", "gw1")])
    assert revisions(records) == {"gw1": 5, "gw2": 2, "gw3": 6, "swan": 4}
    assert records.snapshot.revision == 6
    records.do(gateways=[gateway("gw3", endpoint="192.0.2.1:1")])
    assert records.snapshot.revision == 6


def test_a_new_key_that_peers_need_not_store_yet_is_no_revision(records: Records) -> None:
    walk(records, EMERGENCY, REVOKED)
    before = records.snapshot.gateways["gw1"]["revision"]
    walk(records, KEY_STAGED)
    assert records.snapshot.gateways["gw1"]["revision"] == before
    walk(records, ACTIVE)
    assert records.snapshot.gateways["gw1"]["revision"] == before + 1
    assert revisions(records) == {"gw1": 6, "gw2": 2, "gw3": 3, "swan": 4}


def test_dropping_the_former_key_is_no_revision(records: Records) -> None:
    walk(records, PREPARED, KEY_STAGED, STAGED, ACTIVE, ("verified", {"gateways": names("gw1")}))
    before = records.snapshot.gateways["gw1"]["revision"]
    walk(records, ("retired", {"gateways": names("gw1")}))
    assert records.snapshot.gateways["gw1"]["revision"] == before


# -- rotations


def test_the_record_of_a_rotation(records: Records) -> None:
    who: Data = {"by": "bob", "why": "yearly", "lease": 90, "lock_owner": run_by("bob", 2)}
    given: Data = {"gateways": names("gw2", "gw1", "gw2"), "mode": "emergency", "strategy": "second_interface"}
    events = records.do("prepared", who=who, **given)
    assert records.snapshot.rotations["gw1"] == {
        "id": 2,
        "gateway": "gw1",
        "mode": "emergency",
        "strategy": "second_interface",
        "state": "prepared",
        "old_serial": 1,
        "new_serial": None,
        "why": "yearly",
        "begun_by": "bob",
        "begun_at": NOW,
        "holder": run_by("bob", 2),
        "lease_until": "2026-11-22T03:14:15Z",
        "ended_at": None,
        "signature": "",
    }
    assert [(one["what"], one["gateway"], one["outcome"], one["details"]) for one in events] == [
        ("prepared", "gw2", "emergency", {"strategy": "second_interface"}),
        ("prepared", "gw1", "emergency", {"strategy": "second_interface"}),
    ]
    assert records.snapshot.last_rotation_id == 2


def test_the_old_key_of_a_rotation_is_the_current_one_or_the_newest(records: Records) -> None:
    walk(records, PREPARED, KEY_STAGED, ABORTED, PREPARED)
    assert records.snapshot.rotations["gw1"]["old_serial"] == 1
    walk(records, ABORTED, REVOKED, PREPARED)
    assert records.snapshot.rotations["gw1"]["old_serial"] == 2


def test_the_history_of_a_whole_rotation(records: Records) -> None:
    verified: Step = ("verified", {"gateways": names("gw1")})
    retired: Step = ("retired", {"gateways": names("gw1")})
    given = acknowledgements("gw1", "gw2", "gw3", role="staged")
    acknowledged = ("staged", {"acknowledgements": given, "gateways": names("gw1")})
    told = [
        (one["what"], one["gateway"], one["outcome"], one["details"])
        for step in (PREPARED, KEY_STAGED, acknowledged, ACTIVE, verified, retired)
        for one in records.do(step[0], **step[1])
    ]
    assert told == [
        ("prepared", "gw1", "planned", {"strategy": "in_place"}),
        ("key staged", "gw1", "done", {"serial": 2, "fingerprint": fp("gw1", 2)}),
        ("acknowledged", "gw1", "staged", {"serial": 2, "peers": ["gw2", "gw3"]}),
        ("staged", "gw1", "done", {"rotation": 1}),
        ("active", "gw1", "done", {"rotation": 1}),
        ("verified", "gw1", "done", {"rotation": 1}),
        ("retired", "gw1", "done", {"rotation": 1}),
    ]
    rotation = records.snapshot.rotations["gw1"]
    assert (rotation["state"], rotation["ended_at"], rotation["new_serial"]) == ("retired", NOW, 2)


def test_a_rotation_ends_when_it_is_retired_or_aborted(records: Records) -> None:
    for step in (PREPARED, KEY_STAGED, STAGED, ACTIVE):
        walk(records, step)
        assert records.snapshot.rotations["gw1"]["ended_at"] is None
    walk(records, ABORTED)
    assert records.snapshot.rotations["gw1"]["ended_at"] == NOW


def test_a_rotation_that_is_aborted_before_there_is_a_new_key(records: Records) -> None:
    walk(records, PREPARED, ABORTED)
    assert records.states("gw1") == {1: "current"}


def test_going_on_with_a_rotation(records: Records) -> None:
    walk(records, PREPARED)
    same: Data = {"gateways": names("gw1"), "strategy": "second_interface"}
    (event,) = records.do("prepared", **same)
    assert (event["what"], event["gateway"], event["outcome"]) == ("strategy chosen", "gw1", "second_interface")
    (event,) = records.do("prepared", **same, mode="emergency")
    assert (event["what"], event["gateway"], event["outcome"]) == ("made an emergency", "gw1", "prepared")
    assert records.do("prepared", **same, mode="planned") == []
    rotation = records.snapshot.rotations["gw1"]
    assert (rotation["strategy"], rotation["mode"], rotation["id"]) == ("second_interface", "emergency", 1)


def test_taking_over(records: Records) -> None:
    walk(records, PREPARED)
    bob: Data = {"lock_owner": run_by("bob", 2), "now": LATER, "lease": 60}
    (event,) = records.do("prepared", gateways=names("gw1"), who=bob)
    assert (event["what"], event["gateway"], event["outcome"]) == ("taken over", "gw1", "its lease had expired")
    assert event["details"] == {"from": {"user": "alice", "host": "ctl1", "pid": 4711}}
    rotation = records.snapshot.rotations["gw1"]
    assert (rotation["holder"], rotation["lease_until"]) == (run_by("bob", 2), "2026-11-22T03:21:00Z")


@pytest.mark.parametrize(
    "who", [{"take_over": True}, {"is_gone": lambda owner: owner == run_by("alice")}, {"now": LATER}]
)
@pytest.mark.parametrize("state", ["prepared", "active", "rolled_back", "revoked"])
def test_every_step_may_take_over(records: Records, state: str, who: Data) -> None:
    walk(records, PREPARED, KEY_STAGED, STAGED)
    records.do(state, gateways=names("gw1"), who={"lock_owner": run_by("bob", 2), **who})
    assert records.snapshot.rotations["gw1"]["holder"] == run_by("bob", 2)


@pytest.mark.parametrize(
    ("held", "minimum_share", "enough"),
    [
        (0, 0, True),
        (0, 1, False),
        (1, 33, True),
        (1, 34, False),
        (2, 66, True),
        (2, 67, False),
        (3, 100, True),
    ],
)
def test_the_minimum_share_of_peers(records: Records, held: int, minimum_share: int, enough: bool) -> None:
    records.do(gateways=[gateway("gw4", key_of("gw4"))])
    walk(records, PREPARED, KEY_STAGED)
    given = acknowledgements("gw1", *("gw2", "gw3", "gw4")[:held], role="staged")
    options: Data = {"gateways": names("gw1"), "acknowledgements": given, "minimum_share": minimum_share}
    if enough:
        records.do("staged", **options)
    else:
        assert records.refused("staged", **options)[0] == "too_few"
    assert records.snapshot.rotations["gw1"]["state"] == ("staged" if enough else "prepared")


@pytest.mark.parametrize(
    ("held", "fetching", "share", "counted"),
    [
        ((), ("gw2", "gw3"), 66, ["gw2", "gw3"]),
        ((), ("gw2", "gw3"), 67, None),
        (("gw2",), ("gw2", "gw3"), 66, ["gw3"]),
        (("gw2", "gw3"), ("gw2", "gw3"), 66, []),
        (("gw4",), ("gw2", "gw3", "gw1", "gw9", "x\n"), 100, ["gw2", "gw3"]),
    ],
)
def test_peers_that_fetch_count_and_acknowledge_nothing(
    records: Records, held: tuple[str, ...], fetching: tuple[str, ...], share: int, counted: list[str] | None
) -> None:
    records.do(gateways=[gateway("gw4", key_of("gw4"))])
    walk(records, PREPARED, KEY_STAGED)
    given = acknowledgements("gw1", *held, role="staged")
    options: Data = {
        "gateways": names("gw1"), "acknowledgements": given, "minimum_share": share, "fetching": list(fetching),
    }  # fmt: skip
    if counted is None:
        assert records.refused("staged", **options)[0] == "too_few"
        return
    events = records.do("staged", **options)
    found = [one["details"] for one in events if one["what"] == "counted as fetched"]
    assert found == ([{"peers": counted, "count": len(counted)}] if counted else [])
    assert {peer for peer, _name in records.snapshot.acknowledgements} == set(held)
    assert not [one for one in records.do("staged", **options) if one["what"] == "counted as fetched"]


def test_a_replaced_new_key(records: Records) -> None:
    walk(records, PREPARED, KEY_STAGED, STAGED)
    events = records.do("staged", keys=new("gw1", 3))
    assert [(one["what"], one["gateway"], one["outcome"], one["details"]) for one in events] == [
        ("replaced before use", "gw1", "retired", {"serial": 2, "fingerprint": fp("gw1", 2)}),
        ("key staged", "gw1", "done", {"serial": 3, "fingerprint": fp("gw1", 3)}),
    ]
    rotation = records.snapshot.rotations["gw1"]
    assert (rotation["state"], rotation["new_serial"]) == ("prepared", 3)
    assert records.states("gw1") == {1: "current", 2: "retired", 3: "staged"}


def test_a_replaced_new_key_in_an_emergency(records: Records) -> None:
    walk(records, EMERGENCY, REVOKED, KEY_STAGED)
    events = records.do("staged", keys=new("gw1", 3))
    assert [one["outcome"] for one in events] == ["revoked", "done"]
    assert records.states("gw1") == {1: "revoked", 2: "revoked", 3: "staged"}


def test_some_gateways_are_there_already(records: Records) -> None:
    """The others are brought there all the same."""
    both: Data = {"gateways": names("gw1", "gw2")}
    walk(records, PREPARED, KEY_STAGED, STAGED, ACTIVE)
    records.do("prepared", gateways=names("gw2"))
    records.do("staged", keys=[*new("gw1"), *new("gw2")], **both, minimum_share=0)
    assert [one["gateway"] for one in records.do("active", **both)] == ["gw2"]
    walk(records, ABORTED)
    assert [one["gateway"] for one in records.do("rolled_back", **both)] == ["gw2"]
    assert records.states("gw2") == {1: "current", 2: "revoked"}


def test_staged_for_some_and_recorded_for_others(records: Records) -> None:
    records.do("prepared", gateways=names("gw1", "gw2"))
    events = records.do("staged", keys=[*new("gw1"), *new("gw2")], gateways=names("gw2"), minimum_share=0)
    assert [(one["what"], one["gateway"]) for one in events] == [
        ("key staged", "gw1"),
        ("key staged", "gw2"),
        ("staged", "gw2"),
    ]
    states = {name: row["state"] for name, row in records.snapshot.rotations.items()}
    assert states == {"gw1": "prepared", "gw2": "staged"}


def test_more_peers_acknowledge_what_is_staged_already(records: Records) -> None:
    walk(records, PREPARED, KEY_STAGED, STAGED)
    given = acknowledgements("gw1", "gw2", role="staged")
    (event,) = records.do("staged", acknowledgements=given)
    assert event["what"] == "acknowledged"
    assert records.do("staged", acknowledgements=given) == []


def test_an_acknowledgement_moves_no_rotation(records: Records) -> None:
    """Only the gateways that are named are staged: what a peer says changes nothing about another one."""
    walk(records, PREPARED, KEY_STAGED)
    given = acknowledgements("gw1", "gw2", "gw3", role="staged")
    records.do("staged", acknowledgements=[*given, *acknowledgements("gw3", "gw2")])
    assert records.snapshot.rotations["gw1"]["state"] == "prepared"
    walk(records, ABORTED)
    assert records.do("staged", acknowledgements=given) == []
    code, sentence = records.refused("staged", gateways=names("gw1"))
    assert (code, sentence.partition(",")[0]) == ("wrong_state", "The last rotation of gw1 is rolled_back")


def test_a_proved_change_was_made(records: Records) -> None:
    walk(records, PREPARED, KEY_STAGED, STAGED)
    events = records.do("verified", gateways=names("gw1"))
    assert [one["what"] for one in events] == ["active", "verified"]
    assert records.states("gw1") == {1: "retired", 2: "current"}


def test_nothing_is_verified_before_it_is_staged(records: Records) -> None:
    walk(records, EMERGENCY, KEY_STAGED)
    assert records.refused("verified", gateways=names("gw1"))[0] == "wrong_state"


def test_a_change_touches_no_key_but_the_current_and_the_new_one(records: Records) -> None:
    records.do(gateways=[gateway("gw1", key_of("gw1", 2))], adopt=True)
    walk(records, PREPARED, ("staged", {"keys": new("gw1", 3)}), ABORTED)
    walk(records, PREPARED, ("staged", {"keys": new("gw1", 4)}), STAGED, ACTIVE)
    assert records.states("gw1") == {1: "retired", 2: "retired", 3: "revoked", 4: "current"}
    walk(records, ABORTED)
    assert records.states("gw1") == {1: "retired", 2: "current", 3: "revoked", 4: "revoked"}


# -- revocation


def test_revoked_keys_are_named_one_by_one(records: Records) -> None:
    records.do(gateways=[gateway("gw1", key_of("gw1", 2))], adopt=True)
    events = walk(records, REVOKED)
    assert [(one["what"], one["gateway"], one["outcome"], one["details"]) for one in events] == [
        ("key revoked", "gw1", "done", {"serial": 2, "fingerprint": fp("gw1", 2)}),
        ("key revoked", "gw1", "done", {"serial": 1, "fingerprint": fp("gw1")}),
    ]
    assert walk(records, REVOKED) == []
    assert not records.snapshot.gateways["gw1"]["revoked"]
    assert records.states("gw2") == {1: "current"}


def test_a_lost_gateway(records: Records) -> None:
    walk(records, PREPARED, KEY_STAGED)
    events = walk(records, LOST)
    assert [(one["what"], one["gateway"], one["outcome"]) for one in events] == [
        ("key revoked", "gw1", "done"),
        ("key revoked", "gw1", "done"),
        ("rolled_back", "gw1", "done"),
        ("gateway revoked", "gw1", "done"),
    ]
    assert (records.snapshot.gateways["gw1"]["revoked"], records.snapshot.gateways["gw1"]["revoked_at"]) == (True, NOW)
    assert records.do(*LOST[:1], **LOST[1], who={"now": LATER}) == []
    assert records.snapshot.gateways["gw1"]["revoked_at"] == NOW


def test_revoked_with_a_new_key_at_hand(records: Records) -> None:
    walk(records, PREPARED, KEY_STAGED, REVOKED)
    assert records.states("gw1") == {1: "revoked", 2: "staged"}
    assert records.snapshot.rotations["gw1"]["state"] == "prepared"


@pytest.mark.parametrize(
    ("steps", "since"),
    [
        ((REVOKED,), {1: NOW}),
        ((REVOKED, REVOKED), {1: NOW}),
        ((PREPARED, KEY_STAGED, ABORTED), {1: None, 2: NOW}),
        ((PREPARED, KEY_STAGED, STAGED, ACTIVE), {1: None, 2: None}),
        ((EMERGENCY, REVOKED, KEY_STAGED, ("staged", {"keys": new("gw1", 3)})), {1: NOW, 2: NOW, 3: None}),
        ((PREPARED, KEY_STAGED, ("staged", {"keys": new("gw1", 3)})), {1: None, 2: None, 3: None}),
    ],
)
def test_since_when_a_key_is_revoked(records: Records, steps: tuple[Step, ...], since: dict[int, str | None]) -> None:
    walk(records, *steps)
    walk(records, ("present", {}))
    found = {row["serial"]: row["revoked_at"] for row in records.snapshot.keys.values() if row["gateway"] == "gw1"}
    assert found == since


def test_a_repair_revokes_now_what_was_tampered_with_and_revokes_the_key_in_use_no_more(records: Records) -> None:
    records.do(gateways=[gateway("gw1", key_of("gw1", 2))], adopt=True)
    walk(records, REVOKED)
    records.snapshot.keys["gw1", 1]["state"] = "current"
    records.forged.append(("key", "gw1", 1))
    repair(records, 2)
    assert [(row["state"], row["revoked_at"]) for row in records.snapshot.keys.values() if row["gateway"] == "gw1"] == [
        ("revoked", LATER),
        ("current", None),
    ]


# -- check mode, and what others say


def test_check_mode_foretells_a_new_key_that_nobody_has_made_yet(records: Records) -> None:
    check = {"check": True}
    events = records.do("staged", keys=[{"gateway": "gw1", "public_key": None}], who=check)
    assert [(one["what"], one["gateway"]) for one in events] == [("prepared", "gw1"), ("key staged", "gw1")]
    row = records.snapshot.keys["gw1", 2]
    assert (row["algorithm"], row["public_key"], row["fingerprint"]) == ("x25519", "", "(new) gw1 2")
    assert records.do("staged", keys=[{"gateway": "gw1", "public_key": None}], who=check) == []
    assert records.states("gw1") == {1: "current", 2: "staged"}


def test_check_mode_begins_a_rotation_as_the_task_before_would_have(records: Records) -> None:
    given: Data = {"keys": new("gw1"), "mode": "emergency", "strategy": "second_interface"}
    records.do("staged", who={"check": True}, **given)
    rotation = records.snapshot.rotations["gw1"]
    assert (rotation["mode"], rotation["strategy"], rotation["new_serial"]) == ("emergency", "second_interface", 2)


def test_check_mode_goes_on_with_a_rotation_as_it_is(records: Records) -> None:
    records.do("prepared", gateways=names("gw1"), mode="emergency", strategy="second_interface")
    (event,) = records.do("staged", keys=new("gw1"), who={"check": True})
    assert event["what"] == "key staged"
    rotation = records.snapshot.rotations["gw1"]
    assert (rotation["mode"], rotation["strategy"]) == ("emergency", "second_interface")


def test_a_lost_gateway_gets_no_new_key(records: Records) -> None:
    walk(records, LOST)
    assert records.refused("staged", keys=new("gw1"))[0] == "refused"


def test_events_of_others_are_written_down_as_they_are(records: Records) -> None:
    said: list[Data] = [
        {"what": "unreachable", "gateway": "gw1", "peer": "gw3", "outcome": "deferred", "details": {"after": 10}},
        {"what": "tunnels checked", "why": "because of the storm"},
    ]
    nothing: Data = {"gateway": None, "peer": None, "outcome": None, "details": None}
    assert records.do(events=said, who={"why": "night shift"}) == [
        {"at": NOW, "by": "alice", **said[0], "why": "night shift"},
        {"at": NOW, "by": "alice", **nothing, **said[1]},
    ]


def test_a_change_that_is_refused_leaves_the_records_as_they_were(records: Records) -> None:
    before = records.snapshot.copy()
    given = [gateway("gw1", endpoint="192.0.2.1:1"), gateway("gw9", key_of("gw2"))]
    assert records.refused(gateways=given)[0] == "duplicate_key"
    for one in ("gateways", "keys", "events"):
        assert getattr(records.snapshot, one) == getattr(before, one)
