# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""show crypto gdoi | gkm ..., and the actions on running groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import running
from .grammar import Args

if TYPE_CHECKING:
    from .config import Group
    from .device import Device
    from .rekeying import Entry
    from .shell import Action, Shell

_HANDLE = 2147483650
_SA_LIFETIME = running.SA_LIFETIME
_XE_FEATURES = (
    "    IP D3P Window            : Disabled",
    "    Split Resiliency Factor  : 0",
    "    CKM status               : Disabled",
)
_GM_VERSION = running.GM_VERSION


def _groups(shell: Shell, args: Args) -> list[Group] | None:
    """The groups a command is about; None after a complaint about an unknown name."""
    groups = shell.device.config.groups
    name = args.get("group")
    if name is None:
        return list(groups.values())
    if name not in groups:
        shell.say("no_such_group", group=name)
        return None
    return [groups[name]]


def _role(device: Device, group: Group) -> str:
    if found := running.running(device, group):
        return found[1].role
    return "Primary" if not group.redundancy or device.coop.primary(device, group) == group.address else "Secondary"


def _type(group: Group) -> str:
    return "GDOI (ISAKMP)" if group.kind == "gdoi" else "G-IKEv2"


def _redundancy(device: Device, group: Group, pad: str = "    ") -> list[str]:
    """The lines on COOP that several commands share."""
    if not group.redundancy:
        return [f"{pad}Redundancy               : None"]
    lines = [
        f"{pad}Redundancy               : Configured",
        f"{pad}    Local Address        : {group.address}",
        f"{pad}    Local Priority       : {group.priority}",
        f"{pad}    Local KS Status      : Alive",
        f"{pad}    Local KS Role        : {_role(device, group)}",
    ]
    if device.personality.xe_getvpn:
        lines += [f"{pad}    Local KS Version     : 1.0.27", f"{pad}    Local COOP Version   : 1.0.8"]
    return lines


async def show_gdoi(shell: Shell, args: Args) -> None:
    """`show crypto gdoi [group G]`."""
    device, groups = shell.device, _groups(shell, args)
    if groups is None:
        return
    out = [] if "group" in args else ["GROUP INFORMATION", ""]
    for group in groups:
        out += _information(device, group)
    await shell.show("\n".join(out) + "\n")


def _information(device: Device, group: Group) -> list[str]:
    xe = device.personality.xe_getvpn
    out = [
        f"    Group Name               : {group.name} ({'Unicast' if group.transport == 'unicast' else 'Multicast'})"
    ]
    if xe:
        out.append("    Re-auth on new CRL       : Disabled")
    out.append(f"    Group Identity           : {group.identity}")
    if xe:
        out += [
            f"    Group Type               : {_type(group)}",
            "    Crypto Path              : ipv4",
            "    Key Management Path      : ipv4",
        ]
    if not group.local:
        return [*out, ""]
    members = len(running.members(device, group))
    out += [f"    Group Members            : {members}", "    IPSec SA Direction       : Both"]
    if xe:
        out += _XE_FEATURES
    out += _redundancy(device, group)
    left = running.kek_left(device, group)
    out += [
        f"    Group Rekey Lifetime     : {group.rekey_lifetime} secs",
        "    Group Rekey",
        f"        Remaining Lifetime   : {left} secs",
    ]
    if xe:
        margin = running.kek_margin(device, group)
        out += [f"        Time to Rekey        : {max(left - margin, 0)} secs", "        Acknowledgement Cfg  : Cisco"]
    out += [
        "    Rekey Retransmit Period  : 10 secs",
        "    Rekey Retransmit Attempts: 2",
        "    Group Retransmit",
        "        Remaining Lifetime   : 0 secs",
        "",
    ]
    for number, sa in group.sas.items():
        out += [
            f"      IPSec SA Number        : {number}",
            f"      IPSec SA Rekey Lifetime: {_SA_LIFETIME} secs",
            f"      Profile Name           : {sa.profile}",
            f"      Replay method          : {'Time Based' if sa.replay.startswith('time') else 'Count Based'}",
            f"      Replay Window Size     : {sa.replay.split()[-1] if sa.replay else 64}",
        ]
        if xe:
            out.append("      Tagging method         : None")
        out += ["      SA Rekey", f"         Remaining Lifetime  : {running.tek_left(device, group)} secs"]
        out += [f"      ACL Configured         : access-list {sa.acl}", ""]
    return [*out, "    Group Server list        : Local", ""]


async def show_ks(shell: Shell, args: Args) -> None:
    """`show crypto gdoi [group G] ks`."""
    await _key_server(shell, args, detail=False)


async def show_ks_detail(shell: Shell, args: Args) -> None:
    """`show crypto gdoi [group G] ks detail`."""
    await _key_server(shell, args, detail=True)


async def _key_server(shell: Shell, args: Args, detail: bool) -> None:
    device, groups = shell.device, _groups(shell, args)
    if groups is None:
        return
    xe = device.personality.xe_getvpn
    served = [group for group in groups if group.local]
    members = {group.name: len(running.members(device, group)) for group in served}
    out = [f"Total group members registered to this box: {sum(members.values())}", ""]
    for group in served:
        out += [f"Key Server Information For Group {group.name}:", f"    Group Name               : {group.name}"]
        if xe:
            out.append("    Re-auth on new CRL       : Disabled")
        out.append(f"    Group Identity           : {group.identity}")
        if xe:
            out.append(f"    Group Type               : {_type(group)}")
        out.append(f"    Group Members            : {members[group.name]}")
        if xe:
            out.append("    Rekey Acknowledgement Cfg: Cisco")
        out.append("    IPSec SA Direction       : Both")
        if xe:
            out += _XE_FEATURES
        out.append("    ACL Configured:")
        out += [f"        access-list {sa.acl}" for sa in group.sas.values()]
        out += _redundancy(device, group)
        if detail and group.redundancy:
            out += [f"        Peer Address         : {peer}" for peer in group.peers]
        out.append("")
    await shell.show("\n".join(out) + "\n")


async def show_coop(shell: Shell, args: Args) -> None:
    """`show crypto gdoi ks coop [detail]`."""
    device, groups = shell.device, _groups(shell, args)
    if groups is None:
        return
    out: list[str] = []
    for position, group in enumerate(g for g in groups if g.local):
        out += _coop(device, group, _HANDLE + position * 16)
    await shell.show("\n".join(out) + "\n" if out else "")


def _coop(device: Device, group: Group, handle: int) -> list[str]:
    xe = device.personality.xe_getvpn
    out = [f"Crypto Gdoi Group Name :{group.name} "]
    if not group.redundancy:
        return [*out, "        *NO* redundancy configured for this group", ""]
    role = _role(device, group)
    out += [
        f"        Group handle: {handle}, Local Key Server handle: {handle}",
        "",
        f"        Local Address: {group.address} ",
        f"        Local Priority: {group.priority:<9}",
        f"        Local KS Role: {role:<10}, Local KS Status: {'Alive':<10}",
    ]
    if xe:
        out += ["        Local KS version: 1.0.27", "        Local COOP version: 1.0.8 "]
    age = int(device.uptime())
    if role == "Primary":
        out += [
            "        Primary Timers:",
            "                Primary Refresh Policy Time: 20",
            f"                Remaining Time: {20 - age % 20}",
        ]
    else:
        out += [
            "        Secondary Timers:",
            "                Sec Primary Periodic Time: 30",
            f"                Remaining Time: {30 - age % 30}, Retries: 0",
        ]
    out += [f"                Antireplay Sequence Number: {age // 20}", "", "        Peer Sessions:"]
    for number, address in enumerate(group.peers, 1):
        out += _session(device, group, address, number, handle + number, xe)
    return out


def _session(device: Device, group: Group, address: str, number: int, handle: int, xe: bool) -> list[str]:
    theirs = device.coop.peer(device, group, address)
    known = device.coop.devices.get(address)
    heard = int(known.uptime()) // 20 if known else 0
    if found := running.running(device, group):
        heard = found[1].heard.get(address, 0)
        if address not in found[0].servers or not found[0].alive(found[1], address):
            theirs = None
        elif known and theirs is None:
            theirs = next((g for g in known.config.groups.values() if g.identity == group.identity), None)
    up = theirs is not None
    role = _role(known, theirs) if known and theirs else "Unknown"
    out = [
        f"        Session {number}:",
        f"                Server handle: {handle}",
        f"                Peer Address: {address} ",
    ]
    if xe:
        out.append(f"                Peer Version: {'1.0.27' if known and known.personality.xe_getvpn else '1.0.4'} ")
        if up:
            out.append("                Peer COOP version: 1.0.8 ")
    out += [
        f"                Peer Priority: {theirs.priority if theirs else 'Unknown':<9}",
        f"                Peer KS Role: {role:<10}, Peer KS Status: {'Alive' if up else 'Dead':<10}",
        f"                Antireplay Sequence Number: {heard if up else 0}",
        "",
        f"                IKE status: {'Established' if up else 'Failed'}",
        "                Counters:",
    ]
    counters = (
        "Ann msgs sent",
        "Ann msgs sent with reply request",
        "Ann msgs recv",
        "Ann msgs recv with reply request",
    )
    out += [f"                    {name}: {1 if up else 0}" for name in counters]
    out += ["                    Packet sent drops: 0", "                    Packet Recv drops: 0"]
    return [
        *out,
        "                    Total bytes sent: 1076",
        f"                    Total bytes recv: {5180 if up else 0}",
        "",
    ]


async def show_policy(shell: Shell, args: Args) -> None:
    """`show crypto gdoi [group G] ks policy`."""
    device, groups = shell.device, _groups(shell, args)
    if groups is None:
        return
    out = ["Key Server Policy:"]
    for position, group in enumerate(g for g in groups if g.local):
        out += _policy(device, group, _HANDLE + position * 16)
    await shell.show("\n".join(out) + "\n")


def _policy(device: Device, group: Group, handle: int) -> list[str]:
    p = device.personality
    stored = device.key_of(group)
    out = [f"For group {group.name} (handle: {handle}) server {group.address} (handle: {handle}):", ""]
    rekeys, ages = running.rekeys(device, group), range(running.teks(device, group))
    out += [f"  # of teks : {len(group.sas) * len(ages) if stored else 0}  Seq num : {rekeys}"]
    if stored is None:
        return [*out, ""]
    bits = stored.bits
    length = bits if p.sig_key_length == "bits" else len(stored.key.spki)
    aes = group.algorithm.startswith("aes")
    left = running.kek_left(device, group)
    out += [
        f"  KEK POLICY (transport type : {'Unicast' if group.transport == 'unicast' else 'Multicast'})",
        f"    spi : {running.spi(device, group, 16)}",
        f"    management alg     : disabled    encrypt alg       : {'AES' if aes else '3DES':<10}",
        f"    crypto iv length   : {16 if aes else 8:<11} key size          : {group.key_length:<10}",
        f"    orig life(sec): {group.rekey_lifetime:<11} remaining life(sec): {left:<10}",
    ]
    out += [
        f"    time to rekey (sec): {max(left - running.kek_margin(device, group), 0):<10}",
        f"    sig hash algorithm : enabled     sig key length    : {length:<10}",
        f"    sig size           : {bits // 8 + (not p.xe_getvpn):<10}",
        f"    sig key name       : {group.label}",
        "    acknowledgement    : Cisco     ",
        "",
    ]
    for number, sa in group.sas.items():
        for age in ages:
            out += _tek(device, group, number, sa.acl, age)
    return out


def _tek(device: Device, group: Group, number: int, acl: str, age: int) -> list[str]:
    left = running.tek_left(device, group, age)
    margin = running.tek_margin(device, group)
    rekey = f"    time to rekey (sec): {'n/a' if age else max(left - margin, 0):<10}"
    override = f"    override life (sec): {0:<13} antireplay window size: {64:<10}"
    out = [
        "  TEK POLICY (encaps : ENCAPS_TUNNEL)",
        f"    spi                : {running.spi(device, group, 4, age)[:9]}{number % 10}",
        f"    access-list        : {acl}",
        "    transform          : esp-256-aes esp-sha-hmac ",
        f"    alg key size       : {32:<13} sig key size          : {20:<10}",
        f"    orig life(sec)     : {_SA_LIFETIME:<13} remaining life(sec)   : {left:<10}",
        f"    tek life(sec)      : {_SA_LIFETIME:<13} elapsed time(sec)     : {_SA_LIFETIME - left:<10}",
    ]
    return [*out, *((rekey, override) if device.personality.xe_getvpn else (override, rekey)), ""]


# -- members


def _member(device: Device, group: Group, entry: Entry) -> list[str]:
    xe = device.personality.xe_getvpn
    sent, acked = entry.sent, entry.acked
    out = [
        f"Group Member ID    : {entry.address}  GM Version: {entry.version}",
        f" Group ID          : {group.identity}",
        f" Group Name        : {group.name}",
    ]
    if xe:
        out += [f" Group Type        : {_type(group)}"]
    out.append(" GM State          : Registered")
    return out + [
        f" Key Server ID     : {group.address}",
        f" Rekeys sent       : {sent}",
        f" Rekeys retries    : {entry.retries}",
        f" Rekey Acks Rcvd   : {acked}",
        f" Rekey Acks missed : {entry.missed}",
        "",
        f" Sent seq num : {sent}    0    0    0",
        f" Rcvd seq num : {acked}    0    0    0" if xe else f"Rcvd seq num :  {acked}    0    0    0",
        "",
    ]


async def show_members(shell: Shell, args: Args) -> None:
    """`show crypto gdoi [group G] ks members [A.B.C.D]`."""
    device, groups = shell.device, _groups(shell, args)
    if groups is None:
        return
    wanted = args.get("member")
    out = ["Group Member Information : ", ""]
    for group in groups:
        if not group.local:
            continue
        members = running.members(device, group)
        if wanted is not None:
            one = next((entry for entry in members if entry.address == wanted), None)
            out += _member(device, group, one) if one else [device.personality.text("no_such_member")]
            continue
        out.append(f"Number of rekeys sent for group {group.name} : {running.rekeys(device, group)}")
        if device.personality.xe_getvpn:
            out += [
                f"Number of retransmits during the last rekey for group {group.name} : 0",
                f"Duration of the last rekey for group {group.name} : 10000 msec",
            ]
        out.append("")
        for entry in members:
            out += _member(device, group, entry)
    await shell.show("\n".join(out) + "\n")


async def show_members_summary(shell: Shell, args: Args) -> None:
    """`show crypto gdoi [group G] ks members summary`: its own members, and those that its peers told it of."""
    device, groups = shell.device, _groups(shell, args)
    if groups is None:
        return
    out = ["Group Member Information : ", ""]
    for group in (group for group in groups if group.local):
        servers = [(device, group.address, "LOCAL")]
        for address in group.peers:
            if device.coop.peer(device, group, address):
                servers.append((device.coop.devices[address], address, "REDUNDANT"))
        total = sum(len(running.members(server, _on(server, group))) for server, dummy, dummy_ in servers)
        out.append(f"Group Name: {group.name}, ID: {group.identity}, Group Members: {total}")
        for server, address, state in servers:
            out += _summary(server, _on(server, group), address, state)
        out.append("")
    await shell.show("\n".join(out) + "\n")


def _on(server: Device, group: Group) -> Group:
    """The same group as another key server has it."""
    groups = server.config.groups.values()
    return next((one for one in groups if one.identity == group.identity and one.local), group)


def _summary(server: Device, group: Group, address: str, state: str) -> list[str]:
    members = running.members(server, group)
    return [
        f"  Key Server ID: {address}, GMDB state: {state}, Group Members: {len(members)}",
        "    Member ID           Version     Rekey sent  Rekey Ack missed",
        *(f"    {one.address:<19} {one.version:<11} {one.sent:<11} {one.missed}" for one in members),
    ]


async def show_coop_version(shell: Shell, args: Args) -> None:
    """`show crypto gdoi ks coop version`."""
    await shell.show("Cooperative key server infra Version : 1.0.8\nClient : KS_POLICY_CLIENT      Version : 1.0.27\n")


async def show_identifier(shell: Shell, args: Args) -> None:
    """`show crypto gdoi ks identifier`: the sender identifiers, which no group of the lab uses."""
    await shell.show("KS Sender ID (KSSID) Information\n\nTransform Mode : Non-Counter (Non-Suite B)\n")


async def show_ks_rekey(shell: Shell, args: Args) -> None:
    """`show crypto gdoi ks rekey`."""
    device, groups = shell.device, _groups(shell, args)
    for group in (group for group in groups or () if group.local):
        left = running.kek_left(device, group)
        await shell.show(
            f"Group {group.name} ({'Unicast' if group.transport == 'unicast' else 'Multicast'})\n"
            f"    Number of Rekeys sent               : {running.rekeys(device, group)}\n"
            f"    Number of Rekeys retransmitted      : 0\n    KEK rekey lifetime (sec)            : "
            f"{group.rekey_lifetime}\n        Remaining lifetime (sec)        : {left}\n\n"
        )


async def show_feature(shell: Shell, args: Args) -> None:
    """`show crypto gdoi feature`: what the versions of key servers and members can do."""
    version = _GM_VERSION[shell.device.personality.xe_getvpn]
    features = ("policy-replace", "gdoi-mib", "long-sa-lifetime")
    await shell.show("".join(f"Feature {name}: supported, version {version}\n" for name in features))


# -- actions


async def clear_gdoi(shell: Shell, args: Args) -> None:
    """`clear crypto gdoi [group G]`: the outage command."""
    groups = _groups(shell, args)
    if groups is not None and await shell.ask_yes_no(shell.device.personality.text("clear_gdoi")):
        device = shell.device
        for group in groups:
            if found := running.running(device, group):
                found[0].clear(group.address)
            device.rekeys.pop(group.name, None)
            device.missed.pop(group.name, None)
            stored = device.key_of(group)
            device.registered_key[group.name] = stored.fingerprint if stored else ""


async def rekey(shell: Shell, args: Args) -> None:
    """`crypto gdoi ks rekey [group G] [replace-now]`: members that registered under another key do not answer."""
    groups = _groups(shell, args)
    device = shell.device
    for group in groups or ():
        stored = device.key_of(group)
        if stored is None:
            device.say_log("log_no_keys", group=group.name)
        elif found := running.running(device, group):
            found[0].rekey(group.address, replace_now=bool(args.get("replace_now")))
        elif group.local and _role(device, group) == "Primary":
            device.rekeys[group.name] = device.rekeys.get(group.name, 0) + 1
            if stored.fingerprint != device.registered_key.get(group.name, stored.fingerprint):
                device.missed[group.name] = device.missed.get(group.name, 0) + 1


ACTIONS: dict[str, Action] = {
    "show_gdoi": show_gdoi,
    "show_ks": show_ks,
    "show_ks_detail": show_ks_detail,
    "show_coop": show_coop,
    "show_policy": show_policy,
    "show_coop_version": show_coop_version,
    "show_identifier": show_identifier,
    "show_ks_rekey": show_ks_rekey,
    "show_feature": show_feature,
    "show_members": show_members,
    "show_members_summary": show_members_summary,
    "clear_gdoi": clear_gdoi,
    "rekey": rekey,
}
