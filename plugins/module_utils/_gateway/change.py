# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The change of a gateway's own key, with the dead-man timer, on every platform. PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t

from .._errors import NOTHING_CHANGED, VpnKeysError
from . import detached, files
from .platform import Platform
from .state import ACTIVATING, ACTIVE, CONFIRMED, FAILED, ROLLED_BACK, State

POLL = 0.05
SWAP_SECONDS = 20.0


def begin(name: str, platform: Platform, state: State, confirm_timeout: float) -> None:
    """Start the change in a process of its own and return at once.

    The pending key comes into use. Unless `confirm` is called within `confirm_timeout` seconds
    from then on, the previous one comes back; 0: only where the new one cannot be used at all, and
    no peer is waited for.
    """
    observed = platform.observe()
    key = observed.pending or observed.own.runtime or observed.own.file
    if key is None:
        raise VpnKeysError("not_found", "There is no key to activate", state=NOTHING_CHANGED)
    wanted = key.fingerprint
    files.remove(state.file("confirmed"))
    state.note(ACTIVATING, wanted)
    detached.start(f"change-{name}", lambda: _change(platform, state, wanted, confirm_timeout))


def await_swap(name: str, state: State) -> None:
    """Wait until the key is in use. Raises VpnKeysError where it could not be activated, and the old one is back."""
    _wait(lambda: (journal := state.journal()) is None or journal.step != ACTIVATING, SWAP_SECONDS)
    journal = state.journal()
    if journal is not None and journal.step == ACTIVATING:
        raise VpnKeysError(
            "timeout", f"The new key was not activated within {SWAP_SECONDS:.0f} seconds", advice="Run this again"
        )
    if journal is not None and journal.step == FAILED:
        raise VpnKeysError(
            "refused", f"The new key could not be activated: {journal.error}", state="The old one is in use"
        )


def _change(platform: Platform, state: State, key: str, confirm_timeout: float) -> None:
    deadline = time.monotonic() + confirm_timeout
    try:
        platform.activate(awaited=confirm_timeout > 0)
        if not confirm_timeout:
            platform.persist()
            state.note(CONFIRMED, key)
            return
        state.note(ACTIVE, key, deadline=time.time() + confirm_timeout)
    except Exception as error:  # noqa: BLE001 - whatever it is, the timer must not die of it
        _go_back(platform, state, key, str(error))
        return
    while time.monotonic() < deadline:
        if _confirmed(state):
            return
        time.sleep(POLL)
    _go_back(platform, state, key, "")


def _confirmed(state: State) -> bool:
    try:
        return files.read(state.file("confirmed")) is not None
    except VpnKeysError:
        return False


def _go_back(platform: Platform, state: State, key: str, error: str) -> None:
    try:
        platform.deactivate()
        state.note(FAILED if error else ROLLED_BACK, key, error=error)
    except Exception as second:  # noqa: BLE001
        state.note(FAILED, key, error=f"{error} {second}".strip())


def confirm(name: str, platform: Platform, state: State) -> None:
    """Make the change final: from here on the dead-man timer is off. Raises VpnKeysError where the key came back."""
    observed = platform.observe()
    journal = state.journal()
    if observed.pending is not None and (observed.own.runtime or observed.own.file) != observed.pending:
        reason = f" ({journal.error})" if journal and journal.error else ""
        raise VpnKeysError(
            "refused",
            f"The new key is not in use: the gateway rolled back to the old key{reason}",
            advice="Run the rotation again, or abort it",
        )
    platform.persist()
    state.write(state.file("confirmed"), "")
    if journal is not None:
        state.note(CONFIRMED, journal.key)
    _wait(lambda: not detached.running(f"change-{name}"), 5)


def stop(name: str, state: State) -> None:
    """Stop the dead-man timer; the key in use does not change."""
    state.write(state.file("confirmed"), "")
    _wait(lambda: not detached.running(f"change-{name}"), 15)


def end(state: State) -> None:
    """Forget the change: remove its journal."""
    state.forget()
    files.remove(state.file("confirmed"))


def _wait(until: t.Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        time.sleep(POLL)
