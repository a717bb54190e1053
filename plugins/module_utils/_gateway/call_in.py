# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a gateway needs to call in at its boot: a token of its own, and a systemd unit with curl. PRIVATE to the
collection.

The token never leaves the gateway but in its own calls; its SHA-256 does.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets

from .._errors import NOTHING_CHANGED, VpnKeysError
from . import commands as tools
from . import files
from .installed import Change, File, converge, difference

PLACE = "/etc/vpnops.keys"
HEADER = f"{PLACE}/call-in.header"
CA = f"{PLACE}/call-in-ca.pem"
CONF = f"{PLACE}/call-in.conf"
SERVICE = "vpnops-keys-call-in.service"
UNIT = f"/etc/systemd/system/{SERVICE}"
WANTED = f"/etc/systemd/system/multi-user.target.wants/{SERVICE}"

_TOKEN = re.compile(r"Authorization: Bearer ([0-9a-f]{64})\n")
# What has no meaning of its own in a quoted value of curl's configuration.
_URL = re.compile(r"https://[!#-\[\]-~]{1,2000}")
_CERTIFICATES = re.compile(r"(?:[^\n]{0,200}\n){0,10000}")

_CONF = """\
# How curl calls in; see vpnops-keys-call-in.service.
url = "{url}"
request = "POST"
cacert = "{ca}"
connect-timeout = 10
max-time = 30
output = "/dev/null"
silent
show-error
fail
"""
_UNIT = f"""\
[Unit]
Description=Ask for the keys that this gateway missed
Documentation=https://github.com/vpnops/keys
Wants=network-online.target
# Who calls will be called back.
After=network-online.target ssh.service sshd.service

[Service]
Type=oneshot
ExecStart=/usr/bin/curl --config {CONF} --header @{HEADER}
# Until the control node answers.
Restart=on-failure
RestartSec=30
# It reads the token, which is root's, and can do nothing else that root can.
CapabilityBoundingSet=
NoNewPrivileges=yes
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX

[Install]
WantedBy=multi-user.target
"""


def public_files(url: str, ca: str) -> list[File]:
    """All but the token. Raises VpnKeysError(bad_input)."""
    if not _URL.fullmatch(url):
        raise VpnKeysError(
            "bad_input",
            "O(url) must begin with https:// and have no spaces, quotes or backslashes",
            state=NOTHING_CHANGED,
        )
    if "-----BEGIN CERTIFICATE-----" not in ca or not _CERTIFICATES.fullmatch(ca):
        raise VpnKeysError("bad_input", "O(ca) has no certificate in PEM", state=NOTHING_CHANGED)
    return [File(CA, ca, 0o644), File(CONF, _CONF.format(url=url, ca=CA), 0o644), File(UNIT, _UNIT, 0o644)]


def token_in(header: str | None) -> str | None:
    """The token of the header file, None without a valid one."""
    found = _TOKEN.fullmatch(header or "")
    return found[1] if found else None


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def install(url: str, ca: str, write: bool) -> tuple[list[Change], str | None]:
    """Bring about what is missing, or, without `write`, say what it is; and the SHA-256 of the token, None where it is
    still to be made. Raises VpnKeysError."""
    wanted = public_files(url, ca)
    token = token_in(files.read(HEADER))
    fresh = token is None
    if token is None:
        token = secrets.token_hex(32)
    wanted.insert(0, File(HEADER, f"Authorization: Bearer {token}\n", 0o600, shown=False))
    changes = [change for change in map(difference, wanted) if change]
    enabled = os.path.islink(WANTED)
    if not enabled:
        changes.append(Change(SERVICE, "not enabled", "enabled"))
    if write and changes:
        converge(PLACE, wanted)
        tools.run("systemctl", "enable", SERVICE)
    return changes, None if fresh and not write else sha256(token)
