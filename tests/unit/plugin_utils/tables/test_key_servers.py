# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.steps import Distribute
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables import key_servers

A, B = "aa" * 32, "bb" * 32


def server(host: str, fingerprint: str | None, **more: t.Any) -> dict[str, t.Any]:
    facts = {"address": None, "role": "Secondary", "priority": 1, "problem": None, "size": 2048, "usage": "general"}
    return facts | {"host": host, "fingerprint": fingerprint, "exportable": True, "saved": True, "staged": None} | more


def compared(verdict: str, *servers: dict[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    unit = {
        "label": "REKEY", "groups": ["G"], "verdict": verdict, "in_sync": verdict == "in_sync", "blocked": None,
        "needs_consent": False, "steps": [], "would": [], "replaces": [], "findings": [], "digest": "d",
        "registered_members": {"G": 7}, "members_with_old_key": 0, "primary": None, "primary_by": None,
        "key_servers": list(servers),
    }  # fmt: skip
    problems = {one["host"]: one["problem"] for one in servers if one["problem"]}
    nothing: dict[str, t.Any] = {"ungrouped": [], "claims": [], "findings": []}
    return {"units": [unit | more], "problems": problems} | nothing


EQUAL = compared("in_sync", server("ks1", A), server("ks2", A))
MISSING = compared("missing", server("ks1", A), server("ks2", None))
CONFLICT = compared(
    "conflict", server("ks1", A), server("ks2", B), blocked="They differ.", needs_consent=True, replaces=["ks2"],
    would=[Distribute("ks1", False, (), ("ks2",), A, True).to_result()], members_with_old_key=3,
)  # fmt: skip


def synced(**done: list[str]) -> dict[str, t.Any]:
    return {"units": [MISSING["units"][0] | {"done": done, "error": None}]}


def test_in_sync_is_no_complaint() -> None:
    merged = key_servers.merge(EQUAL, None, None)
    assert merged["in_sync"]
    assert key_servers.complaint(merged, "drift") is None


def test_the_proof_decides_and_not_what_was_done() -> None:
    lied = key_servers.merge(MISSING, synced(ks2=["imported", "saved"]), MISSING)
    assert not lied["in_sync"]
    assert "missing" in (key_servers.complaint(lied, "drift") or "")
    proved = key_servers.merge(MISSING, synced(ks2=["imported", "saved"]), EQUAL)
    assert proved["in_sync"]
    assert "in sync now" in key_servers.render(proved, 80)
    assert "imported, saved" in key_servers.render(proved, 80)


def test_an_error_of_the_sync_is_a_complaint_even_where_all_are_equal() -> None:
    done = synced()
    done["units"][0]["error"] = "ks2: NVRAM is full."
    merged = key_servers.merge(MISSING, done, EQUAL)
    assert not merged["in_sync"]
    assert "NVRAM is full" in (key_servers.complaint(merged, "drift") or "")


def test_an_interrupted_sync_is_a_complaint_even_where_all_is_done() -> None:
    all_done = key_servers.merge(MISSING, synced(ks2=["imported", "saved"]) | {"interrupted": True}, EQUAL)
    assert key_servers.complaint(all_done, "drift") == "The run was interrupted. All that was planned is done."
    half = synced() | {"interrupted": True}
    half["units"][0] |= {"error": "interrupted. Not started: ks2.", "interrupted": True}
    merged = key_servers.merge(MISSING, half, MISSING)
    assert key_servers.complaint(merged, "drift") == (
        "REKEY (G): interrupted. Not started: ks2. "
        "Run the same command again: it reads the devices again and continues with what is left."
    )
    assert "REKEY (G): interrupted\n" in key_servers.render(merged, 120)


def test_what_needs_consent_names_the_variable_and_the_members() -> None:
    merged = key_servers.merge(CONFLICT, None, None)
    assert "key_server_sync_overwrite: always" in (key_servers.complaint(merged, "drift") or "")
    assert key_servers.complaint(merged, "problems") is None
    text = " ".join(key_servers.render(merged, 80).split())
    assert "3 of 7 registered group members have the old public key" in text
    assert "replace on ks2" in text


def test_an_unreadable_key_server_is_a_complaint_also_for_a_plan() -> None:
    lost = server("ks2", None, problem="ks2: it is down.")
    merged = key_servers.merge(compared("unknown", server("ks1", A), lost, blocked="ks2: it is down."), None, None)
    assert "it is down" in (key_servers.complaint(merged, "problems") or "")
    assert "unreadable" in key_servers.render(merged, 80)


def test_no_group_at_all_is_a_complaint() -> None:
    merged = key_servers.merge(EQUAL | {"units": [], "ungrouped": ["ks1"]}, None, None)
    assert not merged["in_sync"]
    assert "No key server serves a GET VPN group" in (key_servers.complaint(merged, "drift") or "")


CLAIM = {
    "host": "ks9",
    "group": "G",
    "names": ["ks1"],
    "why": "ks9 names ks1 as a peer of G, and ks1 does not name it.",
}


def test_what_nobody_confirms_is_shown_and_is_a_complaint_although_all_units_are_in_sync() -> None:
    merged = key_servers.merge(EQUAL | {"claims": [CLAIM], "findings": ["ks8 could not be read."]}, None, None)
    assert not merged["in_sync"]
    assert key_servers.complaint(merged, "drift") == CLAIM["why"]
    assert key_servers.complaint(merged, "problems") is None
    text = " ".join(key_servers.render(merged, 120).split())
    assert "ks9 names ks1 as a peer of G, and ks1 does not name it. ks8 could not be read." in text


def test_a_claim_that_says_why_a_unit_is_blocked_is_told_once() -> None:
    found = compared("unknown", server("ks9", A), blocked=f"{CLAIM['why']} Nothing is changed.") | {"claims": [CLAIM]}
    merged = key_servers.merge(found, None, None)
    assert (key_servers.complaint(merged, "drift") or "").count("does not name it") == 1
    assert " ".join(key_servers.render(merged, 120).split()).count("does not name it") == 1


def test_a_split_group_is_a_complaint_of_its_own() -> None:
    split = compared("split", server("ks1", A), server("ks2", A), blocked="Two primaries.")
    merged = key_servers.merge(split, None, None)
    assert "Two primaries." in (key_servers.complaint(merged, "drift") or "")
    assert "more than one primary" in key_servers.render(merged, 80)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    shown = key_servers.render(key_servers.merge(MISSING, synced(ks2=["imported", "saved"]), EQUAL), width)
    assert max(len(line) for line in shown.splitlines()) <= width
    assert A[:12] in shown


def test_markup_in_names_stays_text() -> None:
    found = compared("in_sync", server("[red]ks1[/red]", A))
    assert "[red]ks1[/red]" in key_servers.render(key_servers.merge(found, None, None), 120)


def test_what_became_of_a_compromised_key() -> None:
    before = {"compromised": [{"fingerprint": "a" * 12, "key_servers": ["ks1", "ks2"]}]}
    after = {"compromised": [{"fingerprint": "a" * 12, "key_servers": ["ks2"]}]}
    done = key_servers.merge({**MISSING, **before}, synced(ks2=["imported"]), {**EQUAL, **after})
    assert [text for text in done["findings"] if "compromised" in text] == [
        "ks1: the compromised key aaaaaaaaaaaa was replaced in this run.",
        "ks2: the compromised key aaaaaaaaaaaa is still there.",
    ]
    looked = key_servers.merge({**MISSING, **before}, None, None)
    assert not [text for text in looked["findings"] if "replaced" in text]


REASON = "nothing answers on port 22. Is it up?"


def test_one_reason_is_told_once_however_many_share_it() -> None:
    """Key servers, groups and texts: what fails is not printed above its own message again."""
    lost = [server(f"ks{number}", None, problem=f"ks{number}: {REASON}") for number in (1, 2, 3)]
    blocked = f"ks1, ks2, ks3: {REASON}"
    found = compared("unknown", *lost, blocked=blocked)
    units = [found["units"][0] | {"label": label, "groups": [label]} for label in ("EAST", "WEST", "NORTH")]
    merged = key_servers.merge(found | {"units": units}, None, None)
    complaint = key_servers.complaint(merged, "problems") or ""
    assert complaint == f"EAST (EAST), WEST (WEST), NORTH (NORTH): {blocked}"
    assert REASON not in key_servers.render(merged, 200, said=complaint)
    assert REASON in key_servers.render(merged, 200), "where nothing fails, the table tells it"


def test_key_servers_of_no_group_share_a_reason_too() -> None:
    problems = {f"ks{number}": f"ks{number}: {REASON}" for number in (1, 2, 3)}
    merged = key_servers.merge(EQUAL | {"units": [], "problems": problems}, None, None)
    assert key_servers.complaint(merged, "drift") == f"ks1, ks2, ks3: {REASON}"
    assert key_servers.render(merged, 200).count(REASON) == 1
