# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One test per row of the decision, by name."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.plan import (
    Copy,
    KeyServer,
    Plan,
    Policy,
    digest,
    holds_compromised,
    plan,
)
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.steps import (
    Clean,
    Distribute,
    Finish,
    Generate,
    Save,
)

LABEL = "GETVPN"
OVERWRITE = Policy(overwrite=True)
A, B, C = "aa" * 32, "bb" * 32, "cc" * 32


def key(
    fingerprint: str,
    *,
    exportable: bool = True,
    bits: int = 2048,
    usage: str = "general",
    saved: bool | None = True,
) -> Copy:
    return Copy(fingerprint, bits, usage, exportable, saved)


def sealed(fingerprint: str) -> Copy:
    return key(fingerprint, exportable=False)


def server(
    name: str,
    copy: Copy | None = None,
    *,
    staged: Copy | None = None,
    priority: int | None = None,
    address: str | None = None,
    role: str | None = None,
    problem: str | None = None,
    primary_of: tuple[str, ...] = ("G",),
) -> KeyServer:
    return KeyServer(name, copy, staged, priority, address, role, problem, primary_of if role == "Primary" else ())


def fleet(primary: Copy | None, second: Copy | None, third: Copy | None) -> list[KeyServer]:
    """ks1 is the primary, then ks2, then ks3."""
    return [
        server("ks1", primary, priority=100, role="Primary"),
        server("ks2", second, priority=75, role="Secondary"),
        server("ks3", third, priority=50, role="Secondary"),
    ]


def staged(servers: list[KeyServer], **keys: Copy) -> list[KeyServer]:
    return [dataclasses.replace(one, staged=keys.get(one.name)) for one in servers]


def decide(servers: list[KeyServer], policy: Policy | None = None) -> Plan:
    return plan(LABEL, servers, policy or Policy())


def copy_to(
    source: str,
    *,
    missing: tuple[str, ...] = (),
    replace: tuple[str, ...] = (),
    fingerprint: str | None = None,
    from_scratch: bool = False,
    exportable: bool = True,
) -> Distribute:
    return Distribute(source, from_scratch, missing, replace, fingerprint, exportable)


def make(host: str, *, scratch: bool, bits: int = 2048) -> Generate:
    return Generate(host, scratch, bits, "general")


# The rows of the table


def test_all_hold_the_same_key() -> None:
    found = decide(fleet(key(A), key(A), sealed(A)))
    assert (found.verdict, found.steps, found.blocked, found.findings) == ("in_sync", (), None, ())
    assert (found.primary, found.fingerprint, found.needs_consent) == ("ks1", A, False)


def test_nobody_has_it() -> None:
    found = decide(fleet(None, None, None), Policy(bits=3072))
    assert found.verdict == "absent"
    assert found.steps == (
        make("ks1", scratch=False, bits=3072),
        Save(("ks1",)),
        copy_to("ks1", missing=("ks2", "ks3")),
        Save(("ks2", "ks3")),
    )
    assert (found.source, found.fingerprint, found.needs_consent) == ("ks1", None, False)


def test_nobody_has_it_and_there_is_only_one_key_server() -> None:
    assert decide([server("ks1")]).steps == (make("ks1", scratch=False), Save(("ks1",)))


def test_some_lack_it_and_the_primary_gives_it() -> None:
    found = decide(fleet(key(A), key(A), None))
    assert found.verdict == "missing"
    assert found.steps == (copy_to("ks1", missing=("ks3",), fingerprint=A), Save(("ks3",)))
    assert (found.source, found.fingerprint) == ("ks1", A)


def test_some_lack_it_and_only_a_secondary_can_give_it() -> None:
    found = decide(fleet(sealed(A), key(A), None))
    assert found.steps == (copy_to("ks2", missing=("ks3",), fingerprint=A), Save(("ks3",)))


def test_some_lack_it_and_the_primary_is_one_of_them() -> None:
    found = decide(fleet(None, sealed(A), key(A)))
    assert found.steps == (copy_to("ks3", missing=("ks1",), fingerprint=A), Save(("ks1",)))


def test_some_lack_it_and_no_copy_is_exportable() -> None:
    found = decide(fleet(sealed(A), sealed(A), None))
    assert (found.verdict, found.steps, found.needs_consent) == ("missing", (), True)
    assert found.blocked == (
        "GETVPN is missing on ks3, and no copy of key aaaaaaaaaaaa is exportable."
        " With O(overwrite), a new key, generated on ks1, which says that it is the primary, replaces the keys of all"
        " key servers."
    )
    assert found.would == (
        make("ks1", scratch=True),
        Save(("ks1",)),
        copy_to("ks1", from_scratch=True, missing=("ks3",), replace=("ks2", "ks1")),
        Save(("ks1", "ks2", "ks3")),
    )
    assert "No copy of GETVPN is exportable" in found.findings[0]


def test_some_lack_it_and_no_copy_is_exportable_with_overwrite() -> None:
    servers = fleet(sealed(A), sealed(A), None)
    found = decide(servers, OVERWRITE)
    assert (found.steps, found.blocked, found.would) == (decide(servers).would, None, ())


def test_overwrite_makes_the_new_key_under_the_label_where_the_primary_has_none() -> None:
    found = decide(fleet(None, sealed(A), sealed(A)), OVERWRITE)
    assert found.steps == (
        make("ks1", scratch=False),
        Save(("ks1",)),
        copy_to("ks1", replace=("ks3", "ks2")),
        Save(("ks2", "ks3")),
    )


def test_copies_differ() -> None:
    found = decide(fleet(key(A), key(B), None))
    assert (found.verdict, found.steps, found.needs_consent) == ("conflict", (), True)
    assert found.would == (
        copy_to("ks1", missing=("ks3",), replace=("ks2",), fingerprint=A),
        Save(("ks2", "ks3")),
    )
    assert found.blocked == (
        "GETVPN is not the same key everywhere (aaaaaaaaaaaa on ks1; bbbbbbbbbbbb on ks2)."
        " With O(overwrite), the key of ks1 (aaaaaaaaaaaa), which says that it is the primary, replaces that of ks2,"
        " and is imported on ks3."
    )


def test_copies_differ_with_overwrite_the_primarys_wins() -> None:
    found = decide(fleet(key(A), key(B), key(B)), OVERWRITE)
    assert found.steps == (copy_to("ks1", replace=("ks3", "ks2"), fingerprint=A), Save(("ks2", "ks3")))


def test_copies_differ_and_the_primary_has_none_the_highest_priority_holders_wins() -> None:
    found = decide(fleet(None, key(B), key(A)), OVERWRITE)
    assert found.steps == (
        copy_to("ks2", missing=("ks1",), replace=("ks3",), fingerprint=B),
        Save(("ks1", "ks3")),
    )


def test_copies_differ_and_the_holders_tie_the_highest_address_wins() -> None:
    found = decide(
        [
            server("ks1", priority=100),
            server("ks2", key(A), priority=50, address="10.0.0.9"),
            server("ks3", key(B), priority=50, address="10.0.0.10"),
        ],
        OVERWRITE,
    )
    assert (found.source, found.fingerprint) == ("ks3", B)


def test_copies_differ_and_an_equal_copy_elsewhere_is_the_source() -> None:
    found = decide(fleet(sealed(A), key(B), key(A)), OVERWRITE)
    assert found.steps == (copy_to("ks3", replace=("ks2",), fingerprint=A), Save(("ks2",)))


def test_copies_differ_and_the_winner_is_not_exportable() -> None:
    servers = fleet(sealed(A), key(B), None)
    found = decide(servers)
    assert (found.steps, found.needs_consent) == ((), True)
    assert "no copy of key aaaaaaaaaaaa is exportable" in (found.blocked or "")
    assert decide(servers, OVERWRITE).steps == found.would
    assert found.would[0] == make("ks1", scratch=True)


def test_a_key_server_cannot_be_read() -> None:
    servers = fleet(key(A), None, None)
    servers[1] = server("ks2", problem="ks2: nothing answers on port 22.")
    found = decide(staged(servers, ks3=key(A)), OVERWRITE)
    assert (found.verdict, found.steps, found.would, found.needs_consent) == ("unknown", (), (), False)
    assert found.blocked == (
        "Nothing is changed until every key server of the group can be read, and ks2 cannot be read."
        " ks2: nothing answers on port 22."
    )


@pytest.mark.parametrize(
    ("weak", "finding"),
    [
        (key(A, bits=1024), "GETVPN has fewer than 2048 bits on ks1 (1024)."),
        (key(A, usage="signature"), "GETVPN is not a key for general use on ks1 (signature)."),
    ],
)
def test_a_weak_copy_is_reported_and_refused_as_a_source(weak: Copy, finding: str) -> None:
    servers = fleet(weak, None, None)
    found = decide(servers)
    assert (found.steps, found.needs_consent) == ((), True)
    assert "refused as a source" in (found.blocked or "")
    assert "allow_weak_source" in (found.blocked or "")
    assert finding in found.findings
    assert found.would[0] == make("ks1", scratch=True)

    allowed = decide(servers, Policy(allow_weak_source=True))
    assert allowed.steps[0] == copy_to("ks1", missing=("ks2", "ks3"), fingerprint=A)
    assert finding in allowed.findings


def test_all_equal_but_weak_is_in_sync_with_a_finding() -> None:
    weak = key(A, bits=1024)
    found = decide(fleet(weak, weak, weak), OVERWRITE)
    assert (found.verdict, found.steps, found.blocked) == ("in_sync", (), None)
    assert found.findings == ("GETVPN has fewer than 2048 bits on ks1 (1024), ks2 (1024), ks3 (1024).",)


# A key that somebody else may have


def test_a_compromised_key_that_all_hold_gives_way_to_a_new_one() -> None:
    servers, policy = fleet(key(A), key(A), sealed(A)), Policy(compromised=(A[:12],))
    asked = decide(servers, policy)
    assert (asked.verdict, asked.steps, asked.needs_consent) == ("conflict", (), True)
    assert asked.blocked == (
        f"GETVPN is a compromised key ({A[:12]} on ks1, ks2, ks3). With O(overwrite), a new key, generated on ks1,"
        " which says that it is the primary, replaces the keys of all key servers."
    )
    assert asked.findings == (f"ks1, ks2, ks3: the compromised key {A[:12]} under GETVPN.",)
    assert asked.would == (
        make("ks1", scratch=True),
        Save(("ks1",)),
        copy_to("ks1", replace=("ks3", "ks2", "ks1"), from_scratch=True),
        Save(("ks1", "ks2", "ks3")),
    )
    assert decide(servers, Policy(overwrite=True, compromised=(A[:12],))).steps == asked.would


def test_after_it_is_gone_nothing_is_left_to_do() -> None:
    found = decide(fleet(key(B), key(B), key(B)), Policy(overwrite=True, compromised=(A,)))
    assert (found.verdict, found.steps) == ("in_sync", ())
    assert found.findings == ()


def test_a_good_key_wins_over_the_compromised_one_of_the_primary() -> None:
    found = decide(fleet(key(A), key(B), key(A)), Policy(overwrite=True, compromised=(A,)))
    assert found.steps[0] == copy_to("ks2", replace=("ks3", "ks1"), fingerprint=B)


def test_a_compromised_key_under_the_scratch_label_is_never_put_to_use() -> None:
    policy = Policy(overwrite=True, compromised=(A,))
    empty = decide(staged(fleet(None, key(B), key(B)), ks1=key(A)), policy)
    assert empty.steps[0] == copy_to("ks2", missing=("ks1",), fingerprint=B)
    assert empty.steps[-2:] == (Clean(("ks1",)), Save(("ks1",)))
    taken = decide(staged(fleet(key(A), key(A), key(A)), ks1=key(A)), policy)
    assert taken.steps[:2] == (Clean(("ks1",)), make("ks1", scratch=True))


@pytest.mark.parametrize(
    ("servers", "holds"),
    [
        (fleet(key(B), key(A), None), True),
        (staged(fleet(key(B), key(B), None), ks3=key(A)), True),
        (fleet(key(B), key(C), None), False),
    ],
)
def test_who_holds_a_compromised_key(servers: list[KeyServer], holds: bool) -> None:
    assert holds_compromised(servers, Policy(compromised=(A[:12],))) is holds


# Inputs that leave nothing to plan


def test_no_key_server() -> None:
    found = decide([], OVERWRITE)
    assert (found.verdict, found.steps, found.primary) == ("unknown", (), None)
    assert "no key server" in (found.blocked or "")


def test_the_same_key_server_twice() -> None:
    found = decide([server("ks1", key(A)), server("ks1")])
    assert (found.verdict, found.steps) == ("unknown", ())
    assert "ks1 is listed more than once" in (found.blocked or "")


def test_a_new_key_that_is_too_small() -> None:
    small = Policy(bits=1024, overwrite=True)
    for servers in (fleet(None, None, None), fleet(sealed(A), None, None)):
        found = decide(servers, small)
        assert (found.steps, found.would, found.needs_consent) == ((), (), False)
        assert "raise O(size), or set O(allow_weak_source)" in (found.blocked or "")
        assert decide(servers, dataclasses.replace(small, allow_weak_source=True)).blocked is None


# Who is primary


def test_the_one_that_claims_it_is_primary() -> None:
    found = decide([server("ks1", priority=100), server("ks2", priority=1, role="Primary")])
    assert (found.primary, found.findings) == ("ks2", ())


def test_the_chosen_one_is_primary_whatever_others_say() -> None:
    """A key server that lies may say that it is the primary, or give itself the highest priority."""
    servers = [server("ks1", key(A), priority=1), server("ks2", key(B), priority=255, role="Primary")]
    found = decide(servers, Policy(overwrite=True, primary=("ks1", "elsewhere")))
    assert (found.primary, found.primary_by, found.source, found.fingerprint) == ("ks1", "choice", "ks1", A)
    assert found.findings == ("ks2 says that it is the primary; ks1 is the chosen one.",)
    asked = decide(servers, Policy(primary=("ks1",)))
    assert "the key of ks1 (aaaaaaaaaaaa), the chosen primary, replaces that of ks2." in (asked.blocked or "")
    assert asked.needs_consent


def test_only_one_can_be_chosen() -> None:
    found = decide(fleet(key(A), key(B), None), Policy(overwrite=True, primary=("ks3", "ks1")))
    assert (found.verdict, found.steps, found.would) == ("unknown", (), ())
    assert found.blocked == (
        "ks1, ks3 hold the same key, and only one can be its primary: name one of them in O(primary)."
    )


def test_key_servers_that_are_primaries_of_different_groups_with_one_label_are_no_split() -> None:
    claims = [
        server("ks1", key(A), priority=10, role="Primary", primary_of=("EAST",)),
        server("ks2", key(A), priority=20, role="Primary", primary_of=("WEST",)),
    ]
    found = decide(claims)
    assert (found.verdict, found.primary) == ("in_sync", "ks2")
    assert found.findings == (
        (
            "ks2, ks1 are primaries of groups that share GETVPN; ks2 is taken as the primary, as it has the highest"
            " priority among them."
        ),
    )


# A split group

SPLIT = "More than one key server says that it is the primary: ks1, ks2 of G"


def split(first: Copy | None, second: Copy | None, third: Copy | None) -> list[KeyServer]:
    """ks1 and ks2 both say that they are the primary; ks2 has the higher priority."""
    return [
        server("ks1", first, priority=10, role="Primary"),
        server("ks2", second, priority=20, role="Primary"),
        server("ks3", third, priority=100, role="Secondary"),
    ]


@pytest.mark.parametrize("policy", [Policy(), OVERWRITE, Policy(overwrite=True, primary=("elsewhere",))])
@pytest.mark.parametrize(
    "servers",
    [
        split(key(A), key(B), None),
        split(key(A), key(A, saved=False), key(A)),
        split(None, None, None),
        staged(split(key(A), key(A), None), ks3=key(A)),
    ],
    ids=["differ", "equal", "none", "interrupted"],
)
def test_nothing_is_changed_in_a_split_group(servers: list[KeyServer], policy: Policy) -> None:
    found = decide(servers, policy)
    assert (found.verdict, found.steps, found.would, found.needs_consent) == ("split", (), (), False)
    assert (found.primary, found.primary_by, found.source) == (None, None, None)
    assert found.blocked == (
        f"{SPLIT}. Nothing is changed; find out why they do not receive COOP messages from each other. To make"
        " them equal anyway, name the one whose key stays in O(primary), and set O(overwrite)."
    )


def test_a_split_group_says_what_else_is_wrong() -> None:
    assert "GETVPN is not saved on ks1" in decide(split(key(A, saved=False), key(B), None)).findings[0]


def test_the_primary_that_is_chosen_for_a_split_group_keeps_its_key_once_there_is_consent() -> None:
    servers = split(key(A), key(B), None)
    choice = Policy(primary=("ks1",))
    asked = decide(servers, choice)
    assert (asked.verdict, asked.steps, asked.needs_consent) == ("conflict", (), True)
    assert asked.blocked == (
        f"{SPLIT}. ks1 is chosen. With O(overwrite), the key aaaaaaaaaaaa of ks1 becomes the key of all key servers."
    )
    done = decide(servers, dataclasses.replace(choice, overwrite=True))
    assert (
        done.steps
        == asked.would
        == (
            copy_to("ks1", missing=("ks3",), replace=("ks2",), fingerprint=A),
            Save(("ks3", "ks2")),
        )
    )
    assert (done.blocked, digest(done)) == (None, digest(asked))
    assert done.findings == ("ks2 says that it is the primary; ks1 is the chosen one.",)


def test_even_what_takes_no_key_from_anybody_needs_consent_in_a_split_group() -> None:
    choice = Policy(primary=("ks1",))
    missing = decide(split(key(A), key(A), None), choice)
    assert (missing.steps, missing.needs_consent) == ((), True)
    absent = decide(split(None, None, None), choice)
    assert (absent.steps, absent.needs_consent) == ((), True)
    becomes = "With O(overwrite), a new key, generated on ks1, becomes the key of all key servers."
    assert becomes in (absent.blocked or "")
    unsaved = decide(split(key(A), key(A, saved=False), key(A)), choice)
    assert (unsaved.verdict, unsaved.steps, unsaved.would) == ("in_sync", (), (Save(("ks2",)),))


def test_a_split_group_with_a_chosen_primary_is_in_sync_if_all_hold_its_key() -> None:
    found = decide(split(key(A), key(A), key(A)), Policy(primary=("ks2",)))
    assert (found.verdict, found.steps, found.blocked, found.needs_consent) == ("in_sync", (), None, False)


def test_a_new_key_that_is_too_small_is_refused_in_a_split_group_too() -> None:
    found = decide(split(None, None, None), Policy(bits=1024, primary=("ks1",)))
    assert (found.steps, found.would, found.needs_consent) == ((), (), False)
    assert "raise O(size)" in (found.blocked or "")


@pytest.mark.parametrize(
    ("servers", "primary"),
    [
        ([server("ks1", priority=50), server("ks2", priority=100)], "ks2"),
        ([server("ks1"), server("ks2", priority=0)], "ks2"),
        ([server("ks1", address="10.0.0.10"), server("ks2", address="10.0.0.9")], "ks1"),
        ([server("ks1", address="2001:db8::9"), server("ks2", address="2001:db8::10")], "ks2"),
        ([server("ks1", address="no address"), server("ks2", address="10.0.0.9")], "ks2"),
        ([server("ks2", priority=7), server("ks1", priority=7)], "ks1"),
    ],
    ids=[
        "priority",
        "no-priority-is-lowest",
        "IPv4-by-number",
        "IPv6-by-number",
        "bad-address-is-lowest",
        "name",
    ],
)
def test_nobody_claims_it(servers: list[KeyServer], primary: str) -> None:
    assert decide(servers).primary == primary


@pytest.mark.parametrize(
    ("servers", "because"),
    [
        ([server("ks1", key(A), priority=50), server("ks2", key(B), priority=100)], "which has the highest priority"),
        ([server("ks1", key(A), address="::2"), server("ks2", key(B), address="::1")], "which has the highest address"),
        ([server("ks1", key(A)), server("ks2", key(B))], "the first by name"),
        (
            [server("ks1", priority=9), server("ks2", key(A), priority=2), server("ks3", key(B), priority=1)],
            "which has the highest priority of those that hold one",
        ),
    ],
)
def test_who_is_asked_for_consent_is_told_why_it_is_that_key(servers: list[KeyServer], because: str) -> None:
    asked = decide(servers).blocked or ""
    assert any(f"({key[:12]}), {because}, replaces that of" in asked for key in (A, B))


@pytest.mark.parametrize(
    ("servers", "by"),
    [
        ([server("ks1"), server("ks2", priority=1, role="Primary")], "role"),
        ([server("ks1", priority=50), server("ks2", priority=100)], "priority"),
        ([server("ks1"), server("ks2", priority=0)], "priority"),
        ([server("ks1", priority=9, address="::2"), server("ks2", priority=9, address="::1")], "address"),
        ([server("ks1", priority=9), server("ks2", priority=9)], "name"),
        ([server("ks1")], "priority"),
    ],
)
def test_what_made_the_primary_the_primary(servers: list[KeyServer], by: str) -> None:
    assert decide(servers).primary_by == by


# Interrupted replacements


def test_an_empty_label_is_finished_from_the_scratch_key() -> None:
    found = decide(staged(fleet(key(A), key(A), None), ks3=key(A)))
    assert found.verdict == "missing"
    assert found.steps == (Finish("ks3", exportable=True), Save(("ks3",)))
    assert (found.blocked, found.needs_consent) == (None, False)
    assert "left the label empty, and its new key is put under it, on ks3" in found.findings[0]


def test_an_empty_label_is_finished_without_consent_even_if_the_rest_differs() -> None:
    found = decide(staged(fleet(key(A), key(B), None), ks3=key(A)))
    assert (found.verdict, found.needs_consent) == ("conflict", True)
    assert found.steps == (Finish("ks3", exportable=True), Save(("ks3",)))
    assert found.would == (
        Finish("ks3", exportable=True),
        copy_to("ks1", replace=("ks2",), fingerprint=A),
        Save(("ks2", "ks3")),
    )


def test_the_last_copy_of_a_key_is_finished_and_given_to_the_others() -> None:
    found = decide(staged(fleet(None, None, None), ks2=key(A)), Policy(exportable=False))
    assert found.steps == (
        Finish("ks2", exportable=True),
        copy_to("ks2", missing=("ks1", "ks3"), fingerprint=A, exportable=False),
        Save(("ks1", "ks2", "ks3")),
    )


def test_finished_copies_are_not_exportable_if_none_is_wanted_and_another_is() -> None:
    found = decide(staged(fleet(key(A), key(A), None), ks3=key(A)), Policy(exportable=False))
    assert found.steps[0] == Finish("ks3", exportable=False)


def test_of_two_finished_copies_one_is_exportable_if_there_is_no_other() -> None:
    found = decide(staged(fleet(None, None, None), ks1=key(A), ks2=key(A)), Policy(exportable=False))
    assert found.steps[:2] == (Finish("ks1", exportable=True), Finish("ks2", exportable=False))


def test_a_scratch_key_that_cannot_be_finished_is_cleaned_once_the_label_is_filled() -> None:
    found = decide(staged(fleet(key(A), key(A), None), ks3=sealed(A)))
    assert found.steps == (
        copy_to("ks1", missing=("ks3",), fingerprint=A),
        Save(("ks3",)),
        Clean(("ks3",)),
        Save(("ks3",)),
    )


def test_a_scratch_key_that_cannot_be_finished_and_is_the_last_of_its_kind_is_kept() -> None:
    servers = staged(fleet(key(A), key(A), None), ks3=sealed(B))
    found = decide(servers)
    assert found.steps == (copy_to("ks1", missing=("ks3",), fingerprint=A), Save(("ks3",)))
    assert "is kept" in found.findings[0]
    assert Clean(("ks3",)) in decide(servers, OVERWRITE).steps


def test_a_scratch_key_equal_to_the_label_is_cleaned() -> None:
    found = decide(staged(fleet(key(A), key(A), key(A)), ks2=key(A)))
    assert (found.verdict, found.steps) == ("in_sync", (Clean(("ks2",)), Save(("ks2",))))


def test_the_only_exportable_copy_is_a_scratch_key_and_is_the_source() -> None:
    servers = staged(fleet(sealed(A), sealed(A), None), ks2=key(A))
    distribute = copy_to("ks2", from_scratch=True, missing=("ks3",), fingerprint=A)
    assert decide(servers).steps == (distribute, Save(("ks3",)), Clean(("ks2",)), Save(("ks2",)))


def test_the_only_exportable_copy_is_kept_if_exportable_copies_are_wanted() -> None:
    servers = staged(fleet(sealed(A), sealed(A), sealed(A)), ks2=key(A))
    assert decide(servers).steps == ()
    assert decide(servers, Policy(exportable=False)).steps == (Clean(("ks2",)), Save(("ks2",)))


def test_a_new_key_from_an_interrupted_run_is_used_and_no_other_made() -> None:
    servers = staged(fleet(sealed(A), sealed(A), None), ks1=key(B))
    found = decide(servers)
    assert (found.steps, found.needs_consent) == ((), True)
    assert found.would == (
        copy_to("ks1", from_scratch=True, missing=("ks3",), replace=("ks2", "ks1"), fingerprint=B),
        Save(("ks1", "ks2", "ks3")),
    )
    assert "is kept for a run with O(overwrite), so that no key is lost, on ks1" in found.findings[-1]


def test_a_new_key_that_was_given_to_some_already_goes_on_to_the_others() -> None:
    servers = staged(fleet(sealed(A), sealed(A), key(B)), ks1=key(B))
    assert decide(servers, OVERWRITE).steps[0] == copy_to(
        "ks1", from_scratch=True, replace=("ks2", "ks1"), fingerprint=B
    )


def test_a_new_key_from_an_interrupted_run_that_has_fewer_bits_than_wanted_makes_way() -> None:
    servers = staged(fleet(sealed(A), None, None), ks1=key(B, bits=2048))
    found = decide(servers, Policy(overwrite=True, bits=3072))
    assert found.steps[:2] == (Clean(("ks1",)), make("ks1", scratch=True, bits=3072))


@pytest.mark.parametrize("useless", [sealed(B), key(B, bits=1024), key(B, usage="signature")])
def test_a_useless_scratch_key_of_the_primary_makes_way_for_a_new_key(useless: Copy) -> None:
    servers = staged(fleet(sealed(A), None, None), ks1=useless)
    assert decide(servers, OVERWRITE).steps[:2] == (Clean(("ks1",)), make("ks1", scratch=True))


def test_another_scratch_key_is_kept_without_consent() -> None:
    servers = staged(fleet(key(A), key(A), key(A)), ks2=key(B))
    assert decide(servers).steps == ()
    assert "is kept" in decide(servers).findings[0]
    assert decide(servers, OVERWRITE).steps == (Clean(("ks2",)), Save(("ks2",)))


def test_what_an_interrupted_replacement_was_bringing_is_kept_without_consent() -> None:
    servers = staged(fleet(key(A), key(B), key(A)), ks2=key(A))
    found = decide(servers)
    assert (found.steps, found.needs_consent) == ((), True)
    assert found.would == (copy_to("ks1", replace=("ks2",), fingerprint=A), Save(("ks2",)))


# Saving


def test_right_but_unsaved_copies_are_saved() -> None:
    servers = fleet(key(A), key(A, saved=False), key(A, saved=None))
    found = decide(servers)
    assert (found.verdict, found.steps) == ("in_sync", (Save(("ks2",)),))
    assert found.findings == ("GETVPN is not saved on ks2: a reload would lose it or restore an older key.",)
    assert decide(servers, Policy(save=False)).steps == ()


def test_unsaved_copies_that_are_not_to_stay_are_not_saved() -> None:
    assert decide(fleet(key(A, saved=False), key(B, saved=False), None)).steps == ()


# Approval


def test_the_digest_shown_before_consent_is_that_of_the_plan_with_consent() -> None:
    servers = fleet(key(A), key(B), None)
    assert digest(decide(servers)) == digest(decide(servers, OVERWRITE))


def test_the_digest_changes_with_what_is_seen_and_with_what_is_done() -> None:
    plans = [
        decide(fleet(key(A), key(B), None)),
        decide(fleet(key(A), key(C), None)),
        decide(fleet(key(A), key(B), key(A))),
        decide(fleet(key(A), key(B), None), Policy(exportable=False)),
        plan("OTHER", fleet(key(A), key(B), None), Policy()),
    ]
    assert len({digest(one) for one in plans}) == len(plans)
