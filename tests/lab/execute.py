# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exec commands that do something: enable, configure, write, reload, terminal settings."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from .grammar import Args

if TYPE_CHECKING:
    from .shell import Action, Shell

_MONTHS = ("january february march april may june july august september october november december").split()


async def enable(shell: Shell, args: Args) -> None:
    """`enable [level]`: asks for the secret unless the session has that level already."""
    device = shell.device
    level = args.get("level", 15)
    if shell.privilege >= level:
        shell.privilege = level
        return
    secret = device.config.enable
    if secret is None:
        shell.say("no_password_set")
        return
    how = device.personality.enable_failure
    for dummy in range(3 if how == "bad_secrets" else 1):
        answer = await shell.ask(device.personality.text("enable_password"), "password")
        shell.term.write("\n")
        if answer is None:
            return
        if answer == secret and not device.faults.low_privilege:
            shell.privilege = level
            return
    shell.say(how)


async def disable(shell: Shell, args: Args) -> None:
    """`disable [level]`."""
    shell.privilege = min(shell.privilege, args.get("level", 1))


async def logout(shell: Shell, args: Args) -> None:
    """exit, quit, logout."""
    shell.hang_up()


async def configure(shell: Shell, args: Args) -> None:
    """`configure terminal`."""
    shell.say("configuring")
    shell.modes = ["exec", "config"]


async def configure_ask(shell: Shell, args: Args) -> None:
    """`configure` alone asks from where."""
    answer = await shell.ask(shell.device.personality.text("configure_from"))
    if answer is not None and "terminal".startswith(answer.strip().lower()):
        await configure(shell, args)
    elif answer is not None:
        shell.term.write('?Must be "terminal", "memory" or "network"\n')


async def write(shell: Shell, args: Args) -> None:
    """`write [memory]`."""
    device = shell.device
    if device.personality.write_confirm and not await shell.confirm(device.personality.text("nvram_other_version")):
        return
    shell.say("building")
    if device.faults.nvram_full:
        _fail(shell, device.faults.nvram_full, "nvram_full")
        return
    device.save()
    shell.say("saved")


async def copy_running(shell: Shell, args: Args) -> None:
    """`copy running-config startup-config`."""
    answer = await shell.ask("Destination filename [startup-config]? ")
    if answer is None:
        return
    if answer.strip() in ("", "startup-config"):
        await write(shell, args)
    else:
        shell.term.write("%Error opening nvram:" + answer.strip() + " (Permission denied)\n")


def _fail(shell: Shell, fault: bool | str, name: str) -> None:
    if isinstance(fault, str):
        shell.term.write(fault.rstrip("\n") + "\n")
    else:
        shell.say(name)


async def reload(shell: Shell, args: Args) -> None:
    """`reload`: offers to save, asks, and drops everybody."""
    device = shell.device
    text = device.personality.text
    if device.dirty:
        save = await shell.ask_yes_no(text("reload_save"))
        if save:
            await write(shell, args)
    if not await shell.confirm(text("reload_proceed")):
        return
    device.say_log("log_reload", user=shell.user, line=shell.line, peer=shell.peer)
    await shell.term.flush()
    device.reload()
    await asyncio.sleep(3600)  # the reload ends this session


async def length(shell: Shell, args: Args) -> None:
    """`terminal length N`."""
    shell.term.length = args.get("length", 24)


async def width(shell: Shell, args: Args) -> None:
    """`terminal width N`."""
    shell.term.width = args.get("width", 80)


async def monitor(shell: Shell, args: Args) -> None:
    """`terminal monitor`."""
    shell.monitor = True


async def no_monitor(shell: Shell, args: Args) -> None:
    """`terminal no monitor`."""
    shell.monitor = False


async def clock_set(shell: Shell, args: Args) -> None:
    """`clock set hh:mm:ss DAY MONTH YEAR`."""
    month = next((i + 1 for i, name in enumerate(_MONTHS) if name.startswith(args["month"].lower())), 0)
    try:
        hour, minute, second = (int(x) for x in args["time"].split(":"))
        when = datetime(args["year"], month, args["day"], hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        shell.say("incomplete")
        return
    shell.device.clock_offset = timedelta()
    shell.device.clock_offset = when - shell.device.now()


async def directory(shell: Shell, args: Args) -> None:
    """`dir nvram:`."""
    device = shell.device
    if not "nvram:".startswith(args["fs"].lower().rstrip("/")):
        shell.term.write(f"%Error opening {args['fs']} (No such device)\n")
        return
    files = {"startup-config": 4096 if device.nvram.config else 0, "private-config": 2048 * len(device.nvram.keys)}
    files |= {name.removeprefix("nvram:"): len(text) for name, text in device.files.items()}
    rows = [
        f"{number:5}  -rw-  {size:>10}                    <no date>  {name}"
        for number, (name, size) in enumerate(files.items(), 1)
    ]
    await shell.show("Directory of nvram:/\n\n" + "\n".join(rows) + "\n\n262144 bytes total (200000 bytes free)\n")


ACTIONS: dict[str, Action] = {
    "enable": enable,
    "disable": disable,
    "logout": logout,
    "configure": configure,
    "configure_ask": configure_ask,
    "write": write,
    "copy_running": copy_running,
    "reload": reload,
    "length": length,
    "no_length": length,
    "width": width,
    "no_width": width,
    "monitor": monitor,
    "no_monitor": no_monitor,
    "clock_set": clock_set,
    "dir": directory,
}
