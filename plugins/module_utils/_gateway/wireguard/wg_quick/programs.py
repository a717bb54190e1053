# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of the programs that hooks run. Text in, facts out. PRIVATE to the collection.

The principle: a program that comes with the system changes peers only where it is told to, in words that are seen in
the hook, or in something that it is told to run. So it is enough to know which programs run something else. What an
administrator has put there themselves may do anything: it is read if it is a script of a shell, else it is unknown.
"""

from __future__ import annotations

import os.path
import re
import typing as t

TOOLS = ("wg", "awg")
SHELLS = frozenset("sh bash dash ash zsh ksh mksh".split())
SYSTEM = (
    "/bin/", "/sbin/", "/lib/", "/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/lib64/", "/usr/libexec/", "/usr/share/",
    "/run/current-system/", "/run/wrappers/",
)  # fmt: skip
"""What comes with the system."""
STORES = ("/nix/store/", "/gnu/store/")
"""Where such systems have all their programs, and what administrators have written, too."""
VOLATILE = ("/tmp/", "/var/tmp/", "/run/", "/var/run/", "/dev/", "/proc/")
"""What is there today need not be what the next start finds."""
OWN = ("/usr/local/sbin", "/usr/local/bin")
"""Where an administrator's programs are that are called by their names alone."""
BUILT = frozenset(
    """wg awg wg-quick awg-quick wireguard-go amneziawg-go boringtun boringtun-cli ip tc bridge iptables ip6tables
    iptables-restore ip6tables-restore ipset nft sysctl ethtool resolvconf resolvectl curl wget jq dig ping""".split()
)
"""People build these themselves."""
INTERPRETER = re.compile(
    r"(?:python|pypy|perl|ruby|lua|luajit|php|node|nodejs|deno|expect|tclsh|wish|guile|raku)[\d.]*"
)
AWK = frozenset("awk gawk mawk nawk".split())
_RUNS_IN_AWK = re.compile(
    r"\bsystem\s*\(|\|\s*getline|\|\s*\"|\"\s*\||\A-[fEil]|\A--(?:file|exec|include|load)|@(?:load|include)"
)
WRAPPERS = frozenset(
    """busybox bwrap builtin cgexec chpst chroot chronic chrt command coproc daemon daemonize dbus-run-session doas env
    exec find firejail flock gosu ip ionice logsave nice nohup nsenter numactl parallel pkexec prlimit retry run0
    runcon runuser script setarch setpriv setsid setuidgid s6-setuidgid softlimit start-stop-daemon stdbuf strace
    su sudo systemd-cat systemd-inhibit systemd-run taskset time timeout toybox trap unbuffer unshare watch
    xargs""".split()
)
"""What runs the command that is among its arguments."""
LATER = WRAPPERS - frozenset(
    "builtin busybox command doas env exec find ip ionice nice nohup parallel pkexec setsid stdbuf sudo time timeout "
    "toybox watch xargs".split()
)
"""Something else may come before the command."""
BY_INPUT = frozenset(("xargs", "parallel"))
NAMING = frozenset("[ [[ test cat chgrp chmod chown cp echo grep install ln logger ls mv printf rm stat touch".split())
"""Commands that may name a script without running it."""
_ANY = ""
_ELSEWHERE: t.Mapping[str, str] = {
    **dict.fromkeys(
        """ansible ansible-playbook ansible-pull at batch busctl chef-client crontab dbus-send emacs ex gdb gdbus
        gmake ifreload ifup initctl make ninja puppet rc-update salt-call screen tmux vi vim""".split(),
        _ANY,
    ),
    **dict.fromkeys(
        "docker docker-compose podman podman-compose nerdctl lxc incus machinectl kubectl".split(),
        "compose create exec launch play restart run shell start unpause up",
    ),
    **dict.fromkeys("lxc-attach lxc-execute lxc-start systemd-nspawn".split(), _ANY),
    **dict.fromkeys("supervisorctl monit pm2 sv rc-service s6-svc svc".split(), "start restart reload up -u once"),
    "netplan": "apply try",
    "networkctl": "reload reconfigure up",
    "nmcli": "up reload load reapply",
}
"""Programs that start what is set up somewhere else, and with which words they do."""


def starts_elsewhere(words: t.Sequence[str]) -> bool:
    """Whether a command starts something that is not in its words."""
    starting = _ELSEWHERE.get(os.path.basename(words[0]))
    return starting is not None and (not starting or any(word in starting.split() for word in words[1:]))


def runs_in_awk(words: t.Sequence[str]) -> bool:
    """Whether a program of awk may run something."""
    return any(_RUNS_IN_AWK.search(word) for word in words[1:])


# ---- wg

# As a word of its own, whatever directory it is in; `wg0` and `/etc/wg/x` are not it.
_LOADS = re.compile(r"(?<![\w.-])(?:setconf|addconf|syncconf)(?![\w.-])")
# Also `$(which wg) set`, `${WG:-wg} set` and `["wg", "set", ...]`.
_SETS = r"""(?<![\w.-])(?:a?wg|\$\w+|\$\{\w+[^}\n]*\})[]"'\s,)}`]+set["'\s,][^;&|\n]*(?<![\w.-])"""
_SETS_PEER = re.compile(rf"{_SETS}peer(?![\w.-])")
SETS_KEY = re.compile(rf"{_SETS}private-key(?![\w.-])")
# What the tools do themselves by a socket of the daemon.
_SOCKET = re.compile(r"/run/(?:wireguard|amneziawg)/[\w.-]*\.sock(?![\w.-])")
_VALUES = frozenset(("listen-port", "fwmark", "private-key"))
_PLAIN = re.compile(r"[A-Za-z0-9_=+.-]+")
_COMPUTED = re.compile(r"[$`*?\[{]")


def touches_peers(text: str) -> bool:
    """Whether a line changes the peers of some interface, as far as its words are seen."""
    return bool(_LOADS.search(text) or _SETS_PEER.search(text) or _SOCKET.search(text))


def is_tool(words: t.Sequence[str]) -> bool:
    """Whether a command is `wg`."""
    return os.path.basename(words[0]) in TOOLS


def is_elsewhere(words: t.Sequence[str], interface: str) -> bool:
    """Whether a command of `wg` is plainly about another interface."""
    return is_tool(words) and len(words) > 2 and words[2] != interface and _PLAIN.fullmatch(words[2]) is not None


def may_touch_peers(words: t.Sequence[str]) -> bool:
    """Whether a command of `wg` has computed words where one of those could be that change peers."""
    action, settings = "".join(words[1:2]), list(words[3:])
    if _COMPUTED.search(action):
        return True
    if action != "set":
        return False
    while settings and settings[0] in _VALUES:
        settings = settings[2:]
    return bool(settings and _COMPUTED.search(settings[0]))
