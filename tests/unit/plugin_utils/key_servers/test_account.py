# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an interrupted run says that it has done and left."""

from __future__ import annotations

from ansible_collections.vpnops.keys.plugins.module_utils._ios.labels import Label
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.steps import (
    Clean,
    Distribute,
    Finish,
    Generate,
    Save,
    Step,
)
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers import account

REKEY = Label.parse("REKEY")
STEPS: tuple[Step, ...] = (
    Finish("ks7", True),
    Generate("ks1", False, 2048, "general"),
    Distribute("ks1", False, ("ks2",), ("ks3", "ks4", "ks5"), None, True),
    Clean(("ks6",)),
    Save(("ks1", "ks2", "ks3", "ks4", "ks5", "ks6", "ks7")),
)
DONE = {
    "ks7": ["finished", "saved"],
    "ks1": ["generated", "saved"],
    "ks2": ["imported"],
    "ks3": ["staged", "replaced", "saved"],
    "ks4": ["staged"],
    "ks5": ["staged"],
}


def test_each_key_server_of_the_plan_is_told_once_and_by_what_it_still_needs() -> None:
    assert account.left(STEPS, DONE) == {
        "ks7": [], "ks1": [], "ks2": ["saved"], "ks3": [], "ks4": ["replaced", "saved"], "ks5": ["replaced", "saved"],
        "ks6": ["cleaned", "saved"],
    }  # fmt: skip
    assert account.how_far(REKEY, STEPS, DONE, {}) == (
        "Done: ks7, ks1, ks3. Prepared, not replaced yet: ks4, ks5. Not completed: ks2. Not started: ks6."
    )


def test_what_is_saved_before_a_further_change_is_to_be_saved_again() -> None:
    done = {"ks6": ["saved", "cleaned"]}
    assert account.left((Clean(("ks6",)), Save(("ks6",))), done) == {"ks6": ["saved"]}


def test_what_is_half_done_says_where_the_keys_are() -> None:
    told = account.how_far(REKEY, STEPS, DONE, {"ks4": "replaced"})
    assert told.startswith(
        "Half done: ks4 (its key was being replaced: REKEY may be empty, and the new key is ready under "
        "REKEY.vpnops-new). Done: "
    )
    assert "ks4" not in told.partition("Done: ")[2].partition("Prepared")[2]


def test_every_step_has_a_word_and_every_word_says_what_is_half_done() -> None:
    wanted = {word for host, words in account.left(STEPS, {}).items() for word in words}
    assert wanted | {"staged", "unstaged"} == set(account.HALF_DONE)
