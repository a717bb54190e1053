# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a gateway needs to fetch by itself: the program, how it fetches, and a systemd timer. PRIVATE to the collection.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import sys
import typing as t

from .._errors import NOTHING_CHANGED, VpnKeysError
from .._gateway import commands as tools
from .._gateway import files, peer_store
from .._gateway.installed import Change, File, converge, difference
from .._gateway.managed import Managed
from . import config, memory

PLACE = os.path.dirname(peer_store.CONFIG)
PROGRAM = f"{PLACE}/fetch.pyz"
CA = f"{PLACE}/fetch-ca.pem"
UNITS = "/etc/systemd/system"
WANTED = f"{UNITS}/timers.target.wants/{peer_store.UNIT}.timer"

_SERVICE = """\
[Unit]
Description=Fetch the keys of VPN peers
Documentation=https://github.com/vpnops/keys
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={python} -I {program}
# What moves the traffic of a peer to its next key goes on.
KillMode=process
TimeoutStartSec=900
UMask=0077
PrivateTmp=yes
ProtectHome=yes
"""
_TIMER = """\
[Unit]
Description=Fetch the keys of VPN peers again and again

[Timer]
OnBootSec=15
OnUnitInactiveSec={interval}
# So that not all gateways ask at the same moment.
RandomizedDelaySec={jitter}
AccuracySec=1

[Install]
WantedBy=timers.target
"""

Data = t.Mapping[str, t.Any]


def wanted(options: Data) -> list[File]:
    """Raises VpnKeysError(bad_input)."""
    settings = {name: options[name] for name in config.FIELDS if name != "ca"}
    text = json.dumps({**settings, "ca": CA if options["ca"] else "", "name_salt": options["name_salt"] or ""}) + "\n"
    interval = config.parsed(text).interval
    try:
        program = base64.b64decode(options["program"] or "-", validate=True).decode("utf-8", "surrogateescape")
    except ValueError:
        raise VpnKeysError("bad_input", "O(program) is missing, or not base64", state=NOTHING_CHANGED) from None
    service = _SERVICE.format(python=shlex.quote(sys.executable), program=PROGRAM)
    certificates = [File(CA, options["ca"], 0o644)] if options["ca"] else []
    return [
        *certificates,
        File(PROGRAM, program, 0o644),
        File(peer_store.CONFIG, text, 0o600, shown=False),
        File(f"{UNITS}/{peer_store.UNIT}.service", service, 0o644),
        File(f"{UNITS}/{peer_store.UNIT}.timer", _TIMER.format(interval=interval, jitter=max(1, interval // 5)), 0o644),
    ]


def install(gateway: Managed, options: Data, write: bool) -> list[Change]:
    """Bring about what is missing, or, without `write`, say what it is. Raises VpnKeysError."""
    files_ = wanted(options)
    changes = [change for change in map(difference, files_) if change]
    if not os.path.islink(WANTED):
        changes.append(Change(f"{peer_store.UNIT}.timer", "not enabled", "enabled"))
    if not changes or not write:
        return changes
    _start_anew(gateway, config.verifier(options["verify_key"])[0])
    converge(PLACE, files_)
    tools.run("systemctl", "enable", f"{peer_store.UNIT}.timer")
    if _systemd():
        tools.run("systemctl", "daemon-reload")
        tools.run("systemctl", "restart", f"{peer_store.UNIT}.timer")
    return changes


def _start_anew(gateway: Managed, origin: str) -> None:
    """What another directory said does not count. What cannot be read says nothing either: the least number of the
    settings counts then."""
    try:
        before = memory.read()
    except VpnKeysError:
        before = memory.Seen()
    if before and before.origin != origin:
        files.remove(os.path.join(memory.PLACE, "seen.json"))
        peer_store.forget(gateway)


def remove(write: bool) -> list[Change]:
    """Nothing is fetched any more. What was stored stays."""
    units = [f"{UNITS}/{peer_store.UNIT}.{kind}" for kind in ("timer", "service")]
    paths = [WANTED, *units, peer_store.CONFIG, PROGRAM, CA]
    there = [path for path in paths if os.path.lexists(path)]
    if write and there:
        if _systemd():
            tools.attempt("systemctl", "stop", f"{peer_store.UNIT}.timer")
        for path in there:
            files.remove(path)
        if _systemd():
            tools.run("systemctl", "daemon-reload")
    return [Change(path, "present", "absent") for path in there]


def _systemd() -> bool:
    return os.path.isdir("/run/systemd/system")
