# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk of a gateway: what lies over the /etc and /var of this machine."""

from __future__ import annotations

import ctypes
import os
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .plan import Files

SIZE = "64m"
UNITS = Path("/usr/lib/systemd/system")
# Directories of this machine that a gateway has its own of.
OPAQUE = """etc/ssh etc/sudoers.d etc/systemd/system etc/wireguard etc/swanctl etc/strongswan.d etc/init.d etc/cron.d
var/lib/vpnops.keys var/lib/systemd var/log var/tmp var/spool var/cache""".split()
# What a gateway needs of what the targets start. The rest costs time and inotify instances.
NEEDED = set(
    """systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service
systemd-tmpfiles-setup.service systemd-tmpfiles-clean.timer systemd-user-sessions.service""".split()
)
TARGETS = ("sysinit", "sockets", "timers", "multi-user")
UNWANTED = "systemd-remount-fs.service systemd-logind.service getty.target network-online.target".split()

SSHD = """\
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
UseDNS no
MaxSessions 50
MaxStartups 50
Subsystem sftp internal-sftp
"""
SUDOERS = """\
Defaults env_reset
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
%sudo ALL=(ALL:ALL) ALL
"""


@dataclass(frozen=True)
class Access:
    """Who gets in, and how."""

    authorized_key: str
    host_key: str
    password: str


def system_files(name: str, access: Access) -> Files:
    """The files of the system itself, without the VPN's."""
    return {
        "etc/hostname": (0o644, f"{name}\n"),
        "etc/hosts": (0o644, f"127.0.0.1 localhost\n127.0.1.1 {name}\n"),
        "etc/machine-id": (0o444, f"{uuid.uuid4().hex}\n"),
        "etc/resolv.conf": (0o644, ""),
        "etc/fstab": (0o644, ""),
        "etc/nsswitch.conf": (0o644, "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"),
        "etc/ssh/sshd_config": (0o644, SSHD),
        "etc/ssh/authorized_keys": (0o644, access.authorized_key),
        "etc/ssh/ssh_host_ed25519_key": (0o600, access.host_key),
        "etc/sudoers": (0o440, SUDOERS),
        "etc/systemd/journald.conf.d/small.conf": (0o644, "[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\n"),
        **_accounts(access.password),
    }


def links(unit: str) -> dict[str, str]:
    """The symbolic links of the system: what is started, and what is not."""
    there = {unit.name for target in TARGETS for unit in (UNITS / f"{target}.target.wants").glob("*")}
    generators = [file.name for file in UNITS.with_name("system-generators").glob("*")]
    template = unit.partition("@")[0] + "@.service" if "@" in unit else unit
    return {
        "etc/systemd/system/default.target": str(UNITS / "multi-user.target"),
        "etc/systemd/system/multi-user.target.wants/ssh.service": str(UNITS / "ssh.service"),
        f"etc/systemd/system/multi-user.target.wants/{unit}": str(UNITS / template),
        **{f"etc/systemd/system/{unit}": "/dev/null" for unit in [*sorted(there - NEEDED), *UNWANTED]},
        **{f"etc/systemd/system-generators/{generator}": "/dev/null" for generator in generators},
    }


def write(root: Path, files: Files, symlinks: dict[str, str]) -> None:
    """Lay a disk down: `etc` and `var` below `root`."""
    for name in OPAQUE:
        (root / name).mkdir(parents=True)
        os.setxattr(root / name, "trusted.overlay.opaque", b"y")
    (root / "var/tmp").chmod(0o1777)
    for name, (mode, content) in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(content, encoding="utf-8")
        path.chmod(mode)
    for name, target in symlinks.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    for secret in ("etc/wireguard", "etc/swanctl/private", "etc/ssh"):
        if (root / secret).is_dir():
            (root / secret).chmod(0o755 if secret == "etc/ssh" else 0o700)


def _accounts(password: str) -> Files:
    """The machine's system accounts, with an administrator and an observer."""
    people = ["admin:x:1000:1000::/home/admin:/bin/sh", "observer:x:1001:1001::/home/observer:/bin/sh"]
    accounts = _system_rows("/etc/passwd") + people
    groups = [row for row in _system_rows("/etc/group") if not row.startswith("sudo:")]
    groups += ["sudo:x:27:admin", "admin:x:1000:", "observer:x:1001:"]
    hashes = {"admin": _hash(password)}
    names = [row.split(":")[0] for row in accounts]
    shadow = [f"{name}:{hashes.get(name, '*')}:20000:0:99999:7:::" for name in names]
    return {
        "etc/passwd": (0o644, _lines(accounts)),
        "etc/group": (0o644, _lines(groups)),
        "etc/shadow": (0o640, _lines(shadow)),
    }


def _system_rows(path: str) -> list[str]:
    rows = Path(path).read_text(encoding="utf-8").splitlines()
    return [row for row in rows if row.count(":") >= 3 and not 1000 <= int(row.split(":")[2]) < 65000]


def _hash(password: str) -> str:
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    hashed: bytes = library.crypt(password.encode(), f"$6$rounds=1000${secrets.token_hex(6)}".encode())
    return hashed.decode()


def _lines(rows: Iterable[str]) -> str:
    return "".join(f"{row}\n" for row in rows)
