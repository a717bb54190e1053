# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fourteen ways in which a device, or whoever writes to the database, got more than its own word: which tests hold each
of them shut. Tests name a way by its number, as "row 1"."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROWS: dict[int, tuple[str, tuple[str, ...]]] = {
    1: (
        "facts in a result become variables: the directory is asked on the gateway, with its address and key",
        (
            "integration/gateways/test_tampered.py::test_facts_steer_nothing",
            "integration/gateways/test_tampered.py::test_another_gateways_key_is_not_entered",
            "integration/gateways/test_tampered.py::test_limit_to_the_liar",
            "integration/gateways/test_tampered.py::test_a_play_that_gathers_facts",
            "integration/gateways/test_tampered.py::test_a_cache_of_facts",
            "integration/test_check_facts.py::test_a_module_that_returns_facts",
            "integration/test_check_facts.py::test_whoever_ignores_the_check_has_nothing_done_by_facts",
            "unit/test_house_rules.py::test_a_role_for_key_servers_does_all_for_one_host",
            "unit/plugin_utils/test_claimed_variables.py::test_every_variable_that_is_read_is_claimed",
            "unit/plugin_utils/test_device_answer.py::test_whatever_else_it_says_is_dropped_and_named",
        ),
    ),
    2: (
        "a gateway acknowledges in the name of another one",
        (
            "integration/gateways/test_tampered.py::test_who_acknowledges_is_who_answered",
            "unit/plugin_utils/test_claims.py::test_claims_as_options",
            "unit/plugin_utils/test_device_answer.py::test_nothing_is_acknowledged_that_was_not_asked",
        ),
    ),
    3: (
        "nonsense in one answer stops the run on all others",
        (
            "integration/gateways/test_tampered.py::test_nonsense_is_the_liars_own_problem",
            "unit/directory/test_acknowledgements.py::test_nonsense_is_named_and_all_else_is_recorded",
            "unit/directory/test_skip_refused.py::test_a_refused_enrollment_stops_nobody",
            "unit/fleet/test_trust.py::test_whatever_one_gateway_prints_the_others_are_as_if_it_were_absent",
        ),
    ),
    4: (
        "a key server that claims another group is given its private key",
        (
            "integration/test_tampered.py::test_it_is_given_no_key_and_the_others_go_on",
            "integration/test_tampered.py::test_the_claim_is_told",
            "unit/key_servers/test_grouping.py::test_nobody_shares_a_key_with_whom_nobody_in_its_groups_names",
            "unit/key_servers/test_grouping.py::test_no_group_has_two_identities",
            "unit/plugin_utils/key_servers/test_live_group.py::test_whatever_one_says_the_groups_of_others_stay",
        ),
    ),
    5: (
        "of two that claim to be primary one is chosen",
        (
            "integration/test_tampered.py::test_a_split_group_is_left_alone_and_told",
            "unit/key_servers/test_plan.py::test_nothing_is_changed_in_a_split_group",
        ),
    ),
    6: (
        "a key that appears under the label meanwhile is removed",
        ("integration/test_somebody_else.py::test_a_key_that_appears_is_never_lost",),
    ),
    7: (
        "old records put back, or taken away, change who is accepted",
        (
            "unit/directory/test_trust.py::test_an_old_record_put_back_is_seen_beside_the_new_one",
            "unit/directory/test_trust.py::test_tampered_records_are_named_and_never_distributed",
            "unit/directory/test_trust.py::test_a_removed_key_is_missed",
            "unit/directory/test_checkpoints.py::test_nobody_takes_a_revoked_gateway_back_by_its_old_rows",
            "unit/directory/test_checkpoints.py::test_whatever_somebody_does_to_any_row_is_named",
            "unit/directory/test_checkpoints.py::test_what_nobody_said_counts_for_nothing",
            "unit/fleet/test_status.py::test_its_own_word_is_evidence_though_it_acknowledged",
        ),
    ),
    8: (
        "a host key that is recorded elsewhere as another one is accepted as new",
        ("unit/plugin_utils/ios/test_ssh.py::test_a_changed_key_is_refused_wherever_it_is_recorded",),
    ),
    9: (
        "a name is run by the shell of a ProxyCommand",
        (
            "unit/plugin_utils/ios/test_ssh.py::test_a_shell_reads_nothing_in_what_is_filled_into_a_proxy_command",
            "unit/plugin_utils/ios/test_ssh.py::test_users_that_openssh_refuses_are_refused",
        ),
    ),
    10: (
        "the agent is forwarded to a key server",
        ("unit/plugin_utils/ios/test_ssh.py::test_nothing_is_forwarded_sent_or_run_whatever_the_configuration_says",),
    ),
    11: (
        "a flood keeps the reader busy, and others miss their limits",
        (
            "integration/test_flood.py::test_one_device_floods_and_the_other_finishes_in_time",
            "integration/gateways/test_tampered.py::test_a_large_answer",
            "unit/ios/test_hostile.py::test_readers_are_linear",
            "unit/ios/test_hostile.py::test_no_answer_is_longer_than_the_limit",
        ),
    ),
    12: (
        "escape sequences reach the terminal",
        (
            "integration/gateways/test_tampered.py::test_plain_text_on_the_screen",
            "unit/ios/test_hostile.py::test_whatever_is_listed_can_be_printed",
            "unit/plugin_utils/test_device_answer_trust.py::test_any_known_attack_is_harmless",
            "unit/test_printable.py::test_it_is_always_one_printable_line_that_tells_texts_apart",
        ),
    ),
    13: (
        "a revoked key that is still accepted is not told",
        (
            "unit/fleet/test_status.py::test_a_revoked_gateway_that_may_still_be_accepted_is_the_first_problem",
            "integration/gateways/test_role_status.py::test_an_emergency_that_not_all_have_heard_of",
        ),
    ),
    14: (
        "the work grows with the number of pairs of gateways",
        (
            "unit/directory/test_scale.py::test_every_task_on_a_large_directory_is_quick_and_small",
            "unit/fleet/test_scale.py::test_a_large_fleet_takes_seconds_and_little_memory",
        ),
    ),
}
"""By number, the way, and the tests."""


@functools.cache
def functions(path: Path) -> frozenset[str]:
    return frozenset(node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef))


def test_there_are_fourteen() -> None:
    assert list(ROWS) == list(range(1, 15))


@pytest.mark.parametrize("row", ROWS)
def test_each_of_its_tests_is_there(row: int) -> None:
    found = [node.partition("::") for node in ROWS[row][1]]
    assert found
    assert [(file, name) for file, _colons, name in found if name not in functions(TESTS / file)] == []
