# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulated key servers and a control node, for tests of whole tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from integration.control_node import ControlNode
from integration.devices import assert_spared

from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers import execute
from lab import DeviceSpec, Fleet

KEPT: dict[str, dict[str, tuple[str, ...]]] = {
    # Each release is met by some of these; how each differs in a dialogue is in tests/unit/ios.
    "test_every_ios.py": {
        "test_a_sync_reaches_every_device": (),
        "test_keys_are_made_and_removed_on_every_device": (),
        "test_every_task_at_bad_moments": (),
    },
    "test_ios_rsa_key.py": {
        "test_errors_leave_the_keys_alone": (),
        "test_a_key_made_in_the_background_that_never_comes": (),
    },
    # What is slow is slow in each start; the same is cut in other places by the other disturbances.
    "test_faults.py": {
        "test_disturbed": (
            "syslog_in_output-conflict", "syslog_after_prompts-none_exportable", "syslog_in_questions-conflict",
            "single_characters-conflict", "sevens-none_exportable", "latency-conflict",
            "slow_generation-none_exportable",
        ),
        "test_disturbed_over_ssh": (),
    },
    "test_ios_rsa_key_import.py": {
        "test_the_order_of_a_replacement": ("ios15",),
        "test_errors_leave_an_empty_label_empty": ("xe17",),
        "test_a_failing_replacement_keeps_the_old_key": (),
    },
    # Every row is in test_every_row_of_the_plan and tests/unit/key_servers; the failures are in test_faults.py and
    # test_kill.py, without a process for each.
    "test_ios_rsa_key_sync.py": {
        "test_every_row": ("conflict", "not exportable"),
        "test_one_that_fails_keeps_every_old_key": ("import fails",),
    },
    # The longest outputs.
    "test_secrets.py": {
        "test_nothing_is_told": ("logged",),
        "test_nothing_is_told_by_failures": ("import fails", "drops in the export"),
    },
    # gateways/test_secrets_gateways.py searches the output of whole playbooks.
    "directory/test_modules.py": {
        "test_secrets_are_shown_nowhere": (),
        "test_names_are_enough_for_a_step_and_the_next_run_goes_on": (),
    },
    # Both kinds of database are met by test_backends.py.
    "directory/test_concurrent.py": {"test_eight_processes_write": ("sqlite-160",)},
    # So do runner/test_key_servers.py and test_only_what_was_approved of the module.
    "test_role.py": {
        "test_an_approved_plan_and_no_other": (),
        "test_a_stolen_key_concerns_only_the_group_that_holds_it": (),
        "test_a_run_that_fails_is_short_and_tells_each_reason_once": ("fault1",),
    },
    # What is asked and answered is in test_role.py and test_rotation_role.py; here it comes from a survey.
    "runner/test_key_servers.py": {
        "test_answers_are_text": (), "test_no_verdict_in_a_slice": (), "test_the_rotation_of_a_group": (),
    },
    # One playbook of each role; all of them look by the same tasks.
    "test_nothing_looked_at.py": {
        "test_a_limit_that_leaves_nobody": ("compare_key_servers", "regenerate_gateway", "audit_keys"),
        "test_a_group_that_is_misspelled": ("sync_key_servers", "gateway_status", "rotate_group_key", "audit_keys"),
        "test_a_variable_that_is_misspelled": ("sync_key_servers-key_server_sync_overwite-key_server_sync_overwrite",),
    },
    # Any lie is in test_a_liar_changes_no_plan_of_others_and_is_in_none of tests/unit, these are two of them.
    "test_tampered.py": {
        "test_it_is_given_no_key_and_the_others_go_on": ("identity_label_and_peers", "nonsense"),
        "test_a_split_group_with_choice_and_consent": ("a1",),
        "test_who_takes_the_address_of_one_that_is_down_gets_no_key": ("True",),
        "test_addresses_that_cannot_be": (),
    },
    # Reloaded at every line is in test_cut_at_every_line.
    "test_kill.py": {
        "test_ansible_loses_a_device": (),
        "test_cut_at_every_line": (
            "conflict-killed-ks3", "missing-dropped_before-ks3", "window-reloaded_forgetful-ks2",
            "leftovers-dropped_during-ks1",
        ),
    },
    "test_interrupted.py": {
        "test_the_first_signal_finishes_what_is_in_hand": ("staging-interrupt",),
        "test_a_worker_that_is_left_alone_finishes_what_is_in_hand": (),
    },
    # That all is foretold, and that a second run changes nothing, stays.
    "awx/test_configure.py": {
        "test_a_schedule_that_is_excluded": (), "test_as_a_job_of_its_own": (), "test_a_private_authority": (),
        "test_what_was_edited_is_foretold_and_brought_back": (), "test_what_was_interrupted_is_completed": (),
    },
    # test_audit makes and reads the whole page; test_check_facts.py has every claim of a fact.
    "report/test_audit.py": {
        "test_one_half_only": (),
        "test_nothing_new_is_no_change": (),
        "test_a_comparison_that_is_a_fact_is_not_believed": (),
        "test_hosts_whose_facts_claim_variables_are_named_as_tampered": (),
    },
    "report/test_audit_gateways.py": {"test_audit_after_a_rotation": ()},
    "report/test_page.py": {
        "test_every_size": ("8-400", "60-1200"), "test_the_largest_picture": (),
        "test_names_are_whole": ("small-400", "large-1200", "small-None"),
    },
    "progress/test_progress.py": {
        "test_bars_on_a_terminal": ("False-80",),
        "test_on_a_terminal_that_cannot_move_its_cursor": (),
        "test_serial_and_limit": (),
        "test_free": (),
        "test_what_is_done_to_devices_moves_the_bar_as_well": (),
    },
    "docs/test_documentation.py": {"test_key_servers": ()},
    "gateways/test_wireguard_platform.py": {
        "test_an_abort_brings_the_old_key_back": ("activated",),
        "test_where_nothing_can_be_written_nothing_changes": (),
    },
    "gateways/test_strongswan_platform.py": {
        "test_rsa": (), "test_der_files_are_as_good_as_pem": (),
        "test_a_peer_that_lacks_the_new_key_keeps_its_tunnel_and_is_named": (),
    },
}
"""What `make test` runs of tests whose parameters differ little: these; the rest of them is thorough."""
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            name, dummy, parameter = item.name.rstrip("]").partition("[")
            kept = KEPT.get(str(item.path.relative_to(HERE)), {}).get(name)
            if kept is not None and parameter not in kept:
                item.add_marker("thorough")


@pytest.fixture(autouse=True, scope="session")
def locks_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests that run side by side are control nodes of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "LOCKS", str(tmp_path_factory.getbasetemp() / "locks"))
        yield


@pytest.fixture
def start_fleet() -> Iterator[Callable[..., Fleet]]:
    """Starts simulated devices; they end with the test. Whatever the test does, no device may have got a line that
    destroys keys unasked, or a piece of a key as a command."""
    fleets: list[Fleet] = []
    with ExitStack() as stack:

        def start(*specs: DeviceSpec) -> Fleet:
            fleets.append(stack.enter_context(Fleet(list(specs), host="127.0.0.1")))
            return fleets[-1]

        yield start
        for fleet in fleets:
            for device in fleet:
                assert_spared(device)


@pytest.fixture
def control_node(tmp_path: Path) -> Callable[[Fleet], ControlNode]:
    def make(fleet: Fleet) -> ControlNode:
        return ControlNode(tmp_path, fleet.inventory())

    return make
