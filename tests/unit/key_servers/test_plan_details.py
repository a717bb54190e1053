# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan says beside its steps, word for word, and the corners of the rows."""

from __future__ import annotations

import hashlib

from unit.key_servers.test_plan import (
    LABEL,
    OVERWRITE,
    A,
    B,
    copy_to,
    decide,
    fleet,
    key,
    make,
    sealed,
    server,
    staged,
)

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.plan import Observed, Plan, Policy, digest
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.steps import Finish, Save


def test_all_of_a_plan_for_what_cannot_be_read() -> None:
    servers = [
        server("ks2", problem="ks2: no answer from AAX "),
        server("ks1", problem="ks1: nothing answers on port 22."),
        server("ks3", key(A), staged=key(B)),
    ]
    assert decide(servers) == Plan(
        label=LABEL,
        verdict="unknown",
        blocked="Nothing is changed until every key server of the group can be read, and ks1, ks2 cannot be read. "
        "ks1: nothing answers on port 22. ks2: no answer from AAX.",
        needs_consent=False,
        steps=(),
        would=(),
        primary=None,
        source=None,
        findings=(),
        fingerprint=None,
        observed=(Observed("ks1", None, None), Observed("ks2", None, None), Observed("ks3", key(A), key(B))),
    )
    assert decide([]).blocked == "There is no key server to compare: set O(hosts)."


def test_the_order_of_the_input_does_not_matter_even_if_names_are_twice() -> None:
    servers = [server("ks1", key(B)), server("ks1", key(A)), server("ks1")]
    assert decide(servers) == decide(servers[::-1])


# The digest is shown, approved by somebody and given to another run: the same content gives the same digest.


def test_the_digest_is_that_of_this_text() -> None:
    found = decide([server("ks1", key(A)), server("ksß", key(A, saved=None), staged=sealed(B))])
    copy = f'"copy":{{"bits":2048,"exportable":true,"fingerprint":"{A}","saved":%s,"usage":"general"}}'
    other = f'{{"bits":2048,"exportable":false,"fingerprint":"{B}","saved":true,"usage":"general"}}'
    text = (
        f'{{"label":"GETVPN","observed":[{{{copy % "true"},"name":"ks1","staged":null}},'
        f'{{{copy % "null"},"name":"ks\\u00df","staged":{other}}}],"steps":[],"verdict":"in_sync"}}'
    )
    assert digest(found) == hashlib.sha256(text.encode()).hexdigest()


# Who gives, and what is saved when


def test_a_source_that_is_not_saved_is_saved_before_it_gives() -> None:
    found = decide(fleet(key(A, saved=False), None, None))
    assert found.steps == (
        Save(("ks1",)),
        copy_to("ks1", missing=("ks2", "ks3"), fingerprint=A),
        Save(("ks2", "ks3")),
    )
    assert (found.needs_consent, found.blocked) == (False, None)


def test_a_scratch_key_that_is_not_saved_is_saved_before_it_is_given_and_under_its_label() -> None:
    found = decide(staged(fleet(sealed(A), sealed(A), None), ks1=key(B, saved=False)), OVERWRITE)
    assert found.steps == (
        Save(("ks1",)),
        copy_to("ks1", from_scratch=True, missing=("ks3",), replace=("ks2", "ks1"), fingerprint=B),
        Save(("ks1", "ks2", "ks3")),
    )
    assert (found.verdict, found.source, found.fingerprint) == ("missing", "ks1", B)


def test_what_is_finished_not_exportable_is_no_source() -> None:
    found = decide(staged(fleet(None, key(A), None), ks1=key(A)), Policy(exportable=False))
    assert found.steps[:2] == (
        Finish("ks1", exportable=False),
        copy_to("ks2", missing=("ks3",), fingerprint=A, exportable=False),
    )


def test_two_without_a_key() -> None:
    servers = [server("ks1", priority=2), server("ks2", priority=1)]
    assert decide(servers).steps == (
        make("ks1", scratch=False),
        Save(("ks1",)),
        copy_to("ks1", missing=("ks2",)),
        Save(("ks2",)),
    )


def test_a_new_key_comes_from_the_primary() -> None:
    found = decide(fleet(sealed(A), sealed(A), None))
    assert (found.verdict, found.source, found.fingerprint) == ("missing", "ks1", None)


def test_priority_0_is_lower_than_1() -> None:
    assert decide([server("ks1", priority=0, address="10.0.0.9"), server("ks2", priority=1)]).primary == "ks2"


# Sentences


def test_a_new_key_that_is_too_small() -> None:
    rest = (
        ", and a new key of 1024 bits would have fewer than the minimum of 2048: raise O(size), or set"
        " O(allow_weak_source)."
    )
    found = decide(fleet(None, None, None), Policy(bits=1024))
    assert (found.verdict, found.blocked) == ("absent", f"No key server holds GETVPN{rest}")
    found = decide(fleet(sealed(A), None, sealed(A)), Policy(bits=1024))
    assert (found.verdict, found.blocked) == (
        "missing",
        f"GETVPN is missing on ks2, and no copy of key aaaaaaaaaaaa is exportable{rest}",
    )


def test_what_is_said_about_interrupted_replacements() -> None:
    begin = "An interrupted replacement of GETVPN left"
    finished = decide(staged(fleet(key(A), key(A), None), ks3=key(A)))
    assert finished.findings == (f"{begin} the label empty, and its new key is put under it, on ks3 (aaaaaaaaaaaa).",)
    used = decide(staged(fleet(key(A), key(B), key(A)), ks2=key(A)), OVERWRITE)
    assert used.findings == (f"{begin} a scratch key, which this run uses or removes, on ks2 (aaaaaaaaaaaa).",)
    kept = decide(staged(fleet(key(A), key(A), key(A)), ks2=key(B)))
    assert kept.findings == (
        (
            f"{begin} a scratch key, which is kept for a run with O(overwrite), so that no key is lost, on ks2"
            " (bbbbbbbbbbbb)."
        ),
    )
