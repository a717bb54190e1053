# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The show commands that have nothing to do with keys."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from . import config as configs
from .grammar import Args

if TYPE_CHECKING:
    from .device import Device
    from .keys import RsaKey
    from .shell import Action, Shell

_VERSION_15 = """Cisco IOS Software, IOSv Software (VIOS-ADVENTERPRISEK9-M), {release}
Technical Support: http://www.cisco.com/techsupport
Copyright (c) 1986-2018 by Cisco Systems, Inc.
Compiled Wed 01-Aug-18 16:45 by prod_rel_team


ROM: Bootstrap program is IOSv

{host} uptime is {uptime}
System returned to ROM by reload
System image file is "flash0:/vios-adventerprisek9-m"
Last reload reason: Unknown reason

{crypto}
Cisco IOSv (revision 1.0) with  with 460018K/62464K bytes of memory.
Processor board ID {serial}
4 Gigabit Ethernet interfaces
DRAM configuration is 72 bits wide with parity disabled.
256K bytes of non-volatile configuration memory.
2097152K bytes of ATA System CompactFlash 0 (Read/Write)
0K bytes of ATA CompactFlash 1 (Read/Write)
0K bytes of ATA CompactFlash 2 (Read/Write)
0K bytes of ATA CompactFlash 3 (Read/Write)

Configuration register is 0x0

"""

_VERSION_XE = """Cisco IOS XE Software, Version {version}
Cisco IOS Software [Simulated], Virtual XE Software (X86_64_LINUX_IOSD-UNIVERSALK9-M), {release}
Technical Support: http://www.cisco.com/techsupport
Copyright (c) 1986-2024 by Cisco Systems, Inc.
Compiled Thu 25-Apr-24 09:00 by mcpre


ROM: IOS-XE ROMMON

{host} uptime is {uptime}
Uptime for this control processor is {uptime}
System returned to ROM by reload
System image file is "bootflash:packages.conf"
Last reload reason: Reload Command

{crypto}
License Level: ax
License Type: N/A(Smart License Enabled)
Next reload license Level: ax

cisco CSR1000V (VXE) processor (revision VXE) with 2071694K/3075K bytes of memory.
Processor board ID {serial}
Router operating mode: Autonomous
3 Gigabit Ethernet interfaces
32768K bytes of non-volatile configuration memory.
3977544K bytes of physical memory.
6188032K bytes of virtual hard disk at bootflash:.

Configuration register is 0x2102

"""

_CRYPTO = """This product contains cryptographic features and is subject to United
States and local country laws governing import, export, transfer and
use. Delivery of Cisco cryptographic products does not imply
third-party authority to import, export, distribute or use encryption.
Importers, exporters, distributors and users are responsible for
compliance with U.S. and local country laws. By using this product you
agree to comply with applicable laws and regulations. If you are unable
to comply with U.S. and local laws, return this product immediately.

A summary of U.S. laws governing Cisco cryptographic products may be found at:
http://www.cisco.com/wwl/export/crypto/tool/stqrg.html

If you require further assistance please contact us by sending email to
export@cisco.com.
"""

_SSH = """SSH Enabled - version {version}
Authentication methods:publickey,keyboard-interactive,password
Authentication Publickey Algorithms:x509v3-ssh-rsa,ssh-rsa
Hostkey Algorithms:x509v3-ssh-rsa,ssh-rsa
Encryption Algorithms:aes128-ctr,aes192-ctr,aes256-ctr
MAC Algorithms:hmac-sha2-256,hmac-sha2-512,hmac-sha1
KEX Algorithms:diffie-hellman-group14-sha1
Authentication timeout: 120 secs; Authentication retries: 3
Minimum expected Diffie Hellman key size : 2048 bits
IOS Keys in SECSH format(ssh-rsa, base64 encoded): {label}
"""


def serial(device: Device) -> str:
    """The serial number of the chassis."""
    return f"9LAB{device.index:07d}"


def uptime(seconds: float) -> str:
    """How long, in the words of `show version`."""
    minutes = int(seconds) // 60
    parts = [
        (minutes // 10080, "week"),
        (minutes // 1440 % 7, "day"),
        (minutes // 60 % 24, "hour"),
        (minutes % 60, "minute"),
    ]
    shown = [f"{n} {unit}{'s' if n != 1 else ''}" for n, unit in parts if n or unit == "minute"]
    return ", ".join(shown)


async def version(shell: Shell, args: Args) -> None:
    """`show version`."""
    device = shell.device
    p = device.personality
    template = _VERSION_XE if p.xe_getvpn else _VERSION_15
    await shell.show(
        template.format(
            host=device.config.hostname,
            version=p.version,
            release=p.release,
            serial=serial(device),
            uptime=uptime(device.uptime()),
            crypto=_CRYPTO,
        )
    )


async def privilege(shell: Shell, args: Args) -> None:
    """`show privilege`."""
    await shell.show(f"Current privilege level is {shell.privilege}\n")


async def clock(shell: Shell, args: Args) -> None:
    """`show clock`."""
    now = shell.device.now()
    await shell.show(
        f"*{now.strftime('%H:%M:%S')}.{now.microsecond // 1000:03d} UTC {now.strftime('%a %b')} {now.day} {now.year}\n"
    )


async def users(shell: Shell, args: Args) -> None:
    """`show users`."""
    rows = ["    Line       User       Host(s)              Idle       Location"]
    for other in sorted(shell.device.shells.values(), key=lambda s: s.line):
        mark = "*" if other is shell else " "
        rows.append(
            f"{mark}{other.line + 2:3} vty {other.line:<5} {other.user:<10} idle                 00:00:00 {other.peer}"
        )
    rows += ["", "  Interface    User               Mode         Idle     Peer Address", "", ""]
    await shell.show("\n".join(rows))


async def history(shell: Shell, args: Args) -> None:
    """`show history`."""
    await shell.show("".join(f"  {line}\n" for line in shell.term.history))


async def inventory(shell: Shell, args: Args) -> None:
    """`show inventory`."""
    product = "CSR1000V" if shell.device.personality.xe_getvpn else "IOSv"
    await shell.show(
        f'NAME: "Chassis", DESCR: "Cisco {product} Chassis"\n'
        f"PID: {product:<18}, VID: V00  , SN: {serial(shell.device)}\n\n\n"
    )


async def interfaces(shell: Shell, args: Args) -> None:
    """`show ip interface brief`."""
    await shell.show(
        "Interface                  IP-Address      OK? Method Status                Protocol\n"
        f"GigabitEthernet0/0         {shell.device.spec.address:<15} YES NVRAM  up                    up      \n"
    )


async def terminal(shell: Shell, args: Args) -> None:
    """`show terminal`."""
    await shell.show(
        f'Line {shell.line + 2}, Location: "", Type: "vt100"\n'
        f"Length: {shell.term.length} lines, Width: {shell.term.width} columns\n"
        "Status: PSI Enabled, Ready, Active, Ctrl-c Enabled, Automore On\n"
    )


async def logging(shell: Shell, args: Args) -> None:
    """`show logging`."""
    messages = "".join(message + "\n" for message in shell.device.messages)
    await shell.show(
        "Syslog logging: enabled (0 messages dropped, 0 messages rate-limited, 0 flushes, 0 "
        "overruns, xml disabled, filtering disabled)\n"
        "\n    Console logging: disabled\n"
        f"    Monitor logging: level debugging, {len(shell.device.messages)} messages logged, xml disabled,\n"
        f"    Buffer logging:  level debugging, {len(shell.device.messages)} messages logged, xml disabled,\n"
        f"\nLog Buffer (8192 bytes):\n\n{messages}"
    )


def configuration(device: Device, config: configs.Config) -> str:
    """A configuration as text, without the heading."""
    return configs.render(config, device.personality.train)


async def running(shell: Shell, args: Args) -> None:
    """`show running-config`, `write terminal`."""
    device = shell.device
    text = configuration(device, device.config)
    await shell.show(f"{device.personality.text('building')}\nCurrent configuration : {len(text)} bytes\n{text}\n")


async def startup(shell: Shell, args: Args) -> None:
    """`show startup-config`."""
    device = shell.device
    if device.nvram.config is None:
        shell.say("no_startup")
        return
    text = configuration(device, device.nvram.config)
    await shell.show(f"Using {len(text)} out of 262144 bytes\n{text}\n")


async def ssh(shell: Shell, args: Args) -> None:
    """`show ip ssh`."""
    device = shell.device
    first = next(iter(device.keys.values()), None)
    if first is None:
        await shell.show(
            "SSH Disabled - version 1.99\n%Please create RSA keys to enable SSH (and of atleast 768 bits for SSH v2).\n"
        )
        return
    body = openssh(first.key)
    lines = "".join(body[i : i + 64] + "\n" for i in range(0, len(body), 64))
    await shell.show(_SSH.format(version=device.personality.ssh_banner_version, label=first.label) + "ssh-rsa " + lines)


def openssh(key: RsaKey) -> str:
    """The base64 of an OpenSSH public key."""
    fields = [b"ssh-rsa"] + [x.to_bytes(x.bit_length() // 8 + 1, "big") for x in (key.e, key.n)]
    return base64.b64encode(b"".join(len(field).to_bytes(4, "big") + field for field in fields)).decode()


ACTIONS: dict[str, Action] = {
    "show_version": version,
    "show_privilege": privilege,
    "show_clock": clock,
    "show_users": users,
    "show_history": history,
    "show_inventory": inventory,
    "show_interfaces": interfaces,
    "show_terminal": terminal,
    "show_logging": logging,
    "show_running": running,
    "show_startup": startup,
    "show_ssh": ssh,
}
