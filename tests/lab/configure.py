# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration commands. GET VPN is understood; other stanzas are kept word for word."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING

from .config import Group, IpsecSa
from .grammar import Args

if TYPE_CHECKING:
    from .shell import Action, Shell


def _enter(shell: Shell, *modes: str) -> None:
    shell.modes = ["exec", "config", *modes]


async def end(shell: Shell, args: Args) -> None:
    """`end`."""
    shell.modes = ["exec"]


async def leave(shell: Shell, args: Args) -> None:
    """`exit`: one mode up."""
    shell.modes.pop()


async def do(shell: Shell, args: Args) -> None:
    """`do COMMAND`."""
    line = shell.typed()
    await shell.run_exec(args["command"], line.index(args["command"], line.lower().index("do") + 2))


async def hostname(shell: Shell, args: Args) -> None:
    """`hostname NAME`."""
    shell.device.config.hostname = args["name"]
    shell.device.dirty = True


async def domain(shell: Shell, args: Args) -> None:
    """`[no] ip domain name NAME`."""
    shell.device.config.domain = args.get("name", "")
    shell.device.dirty = True


async def enable_secret(shell: Shell, args: Args) -> None:
    """`enable secret PASSWORD`."""
    shell.device.config.enable = args["secret"]
    shell.device.dirty = True


async def username(shell: Shell, args: Args) -> None:
    """`username NAME [privilege N] {secret|password} [0] PASSWORD`."""
    words = args["rest"].split()
    level = 1
    if len(words) > 2 and "privilege".startswith(words[0]) and words[1].isdigit():
        level, words = int(words[1]), words[2:]
    if len(words) > 2 and words[1] == "0":
        del words[1]
    if len(words) != 2 or words[0] not in ("secret", "password"):
        shell.say("incomplete")
        return
    shell.device.config.users[args["name"]] = (words[1], level)
    shell.device.dirty = True


async def banner(shell: Shell, args: Args) -> None:
    """`banner motd cTEXTc`, over as many lines as it takes."""
    text = args["rest"]
    stop, body = text[0], text[1:]
    if text.startswith("^C"):
        stop, body = "^C", text[2:]
    if stop not in body:
        shell.term.write(f"Enter TEXT message.  End with the character '{stop}'.\n")
    while stop not in body:
        line = await shell.paste()
        if line.ended_by != "enter":
            return
        body += "\n" + line.text
    shell.device.config.motd = body.split(stop)[0]
    shell.device.dirty = True


def _raw(heading: str, field: str = "rest") -> Action:
    async def action(shell: Shell, args: Args) -> None:
        line = f"{heading} {args[field]}".strip() if field in args else heading
        config = shell.device.config
        negated = line.removeprefix("no ") if line.startswith("no ") else f"no {line}"
        config.lines = [kept for kept in config.lines if kept not in (line, negated)]
        if not line.startswith("no logging") and line != "ip domain lookup":
            config.lines.append(line)
        shell.device.dirty = True

    return action


def _stanza(heading: str, mode: str) -> Action:
    async def action(shell: Shell, args: Args) -> None:
        name = " ".join(str(args[key]) for key in ("name", "rest") if key in args)
        full = f"{heading} {name}"
        if mode == "interface":
            full = f"{heading} {_interface(name)}"
        shell.device.config.sections.setdefault(full, [])
        shell.device.dirty = True
        shell.context["stanza"] = full
        if mode != "line":
            _enter(shell, mode)
        else:
            shell.device.config.sections.pop(full)
            _enter(shell, mode)

    return action


def _interface(name: str) -> str:
    compact = name.replace(" ", "")
    letters = compact.rstrip("0123456789/.")
    for full in ("GigabitEthernet", "Loopback", "Tunnel", "FastEthernet"):
        if letters and full.lower().startswith(letters.lower()):
            return full + compact[len(letters) :]
    return name


def _keep(word: str) -> Action:
    async def action(shell: Shell, args: Args) -> None:
        body = shell.device.config.sections.get(shell.context.get("stanza", ""))
        if body is None:
            return
        line = f"{word} {args['rest']}".strip() if "rest" in args else word
        shell.device.dirty = True
        if word == "no":
            body[:] = [kept for kept in body if not kept.startswith(args.get("rest", ""))]
        elif line not in body:
            body.append(line)

    return action


# -- GET VPN


def _open_group(kind: str) -> Action:
    async def action(shell: Shell, args: Args) -> None:
        groups = shell.device.config.groups
        group = groups.setdefault(args["group"], Group(args["group"], kind))
        shell.context["group"] = group
        shell.device.dirty = True
        _enter(shell, "group")

    return action


async def no_group(shell: Shell, args: Args) -> None:
    """`no crypto gdoi group G`."""
    shell.device.config.groups.pop(args["group"], None)
    shell.device.dirty = True


def _in_group(change: Callable[[Group, Args], None], *enter: str) -> Action:
    """A command below a group: change it, and perhaps go a mode deeper."""

    async def action(shell: Shell, args: Args) -> None:
        group: Group = shell.context["group"]
        for name in ("address", "identity"):
            if isinstance(args.get(name), str) and not _is_ipv4(args[name]):
                column = shell.caret() + shell.typed().rindex(args[name])
                shell.term.write(" " * column + "^\n")
                shell.say("invalid")
                return
        change(group, args)
        shell.device.dirty = True
        if "number" in args:
            shell.context["sa"] = group.sas[args["number"]]
        if enter:
            _enter(shell, *enter)
        shell.device.coop.elect()

    return action


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _set(field: str, source: str = "", value: object = None) -> Callable[[Group, Args], None]:
    def change(group: Group, args: Args) -> None:
        setattr(group, field, args[source] if source else value)

    return change


def _rekey_key(group: Group, args: Args) -> None:
    group.label = args["label"]


def _retransmit(group: Group, args: Args) -> None:
    group.retransmit = f"{args['seconds']} {args.get('rest', '')}".strip()


def _rekey_days(group: Group, args: Args) -> None:
    group.rekey_lifetime = args["days"] * 86400


def _add_sa(group: Group, args: Args) -> None:
    group.sas.setdefault(args["number"], IpsecSa())


def _add_peer(group: Group, args: Args) -> None:
    if args["address"] not in group.peers:
        group.peers.append(args["address"])


def _drop_peer(group: Group, args: Args) -> None:
    group.peers = [peer for peer in group.peers if peer != args["address"]]


def _no_redundancy(group: Group, args: Args) -> None:
    group.redundancy, group.peers, group.priority = False, [], 1


def _no_server(group: Group, args: Args) -> None:
    group.local, group.label, group.redundancy, group.peers = False, "", False, []


def _nothing(group: Group, args: Args) -> None:
    """Accepted, and of no consequence here (the group member side)."""


def _in_sa(field: str, source: str = "") -> Action:
    async def action(shell: Shell, args: Args) -> None:
        setattr(shell.context["sa"], field, args[source] if source else "")
        shell.device.dirty = True

    return action


ACTIONS: dict[str, Action] = {
    "end": end,
    "exit": leave,
    "do": do,
    "hostname": hostname,
    "domain": domain,
    "no_domain": domain,
    "enable_secret": enable_secret,
    "username": username,
    "banner": banner,
    "raw_access_list": _raw("access-list"),
    "raw_domain_lookup": _raw("ip domain lookup"),
    "raw_no_lookup": _raw("no ip domain lookup"),
    "raw_route": _raw("ip route"),
    "raw_ssh": _raw("ip ssh"),
    "raw_logging": _raw("logging"),
    "raw_no_logging": _raw("no logging"),
    "raw_ntp": _raw("ntp"),
    "stanza_interface": _stanza("interface", "interface"),
    "stanza_acl": _stanza("ip access-list extended", "acl"),
    "stanza_profile": _stanza("crypto ipsec profile", "profile"),
    "stanza_transform": _stanza("crypto ipsec transform-set", "transform"),
    "stanza_line": _stanza("line", "line"),
    **{
        f"keep_{word}": _keep(word)
        for word in (
            "description ip no shutdown speed duplex mtu permit deny remark set mode "
            "login transport exec-timeout logging length width privilege"
        ).split()
    },
    "group_gdoi": _open_group("gdoi"),
    "group_gkm": _open_group("gkm"),
    "no_group": no_group,
    "identity": _in_group(_set("identity", "identity")),
    "server_address": _in_group(_nothing),
    "server_local": _in_group(_set("local", value=True), "group", "server"),
    "no_server_local": _in_group(_no_server),
    "rekey_algorithm": _in_group(_set("algorithm", "rest")),
    "rekey_key": _in_group(_rekey_key),
    "no_rekey_key": _in_group(_set("label", value="")),
    "rekey_days": _in_group(_rekey_days),
    "rekey_seconds": _in_group(_set("rekey_lifetime", "seconds")),
    "rekey_retransmit": _in_group(_retransmit),
    "rekey_unicast": _in_group(_set("transport", value="unicast")),
    "no_rekey_unicast": _in_group(_set("transport", value="")),
    "server_ipv4": _in_group(_set("address", "address")),
    "server_sa": _in_group(_add_sa, "group", "server", "sa"),
    "redundancy": _in_group(_set("redundancy", value=True), "group", "server", "coop"),
    "no_redundancy": _in_group(_no_redundancy),
    "coop_priority": _in_group(_set("priority", "priority")),
    "coop_peer": _in_group(_add_peer),
    "no_coop_peer": _in_group(_drop_peer),
    "sa_acl": _in_sa("acl", "acl"),
    "sa_profile": _in_sa("profile", "profile"),
    "sa_replay": _in_sa("replay", "rest"),
    "no_sa_replay": _in_sa("replay"),
}
