# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hostile device in a process of its own: an SSH server that answers any line with a text without end."""

from __future__ import annotations

import asyncio
import sys

import asyncssh

PIECE = 32_768


class _Login(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False


async def _flood(process: asyncssh.SSHServerProcess[str], pattern: str, mute: int) -> None:
    process.stdout.write("R1#")
    lines = 0
    while data := await process.stdin.read(1):
        if data != "\r":
            process.stdout.write(data)
            continue
        lines += 1
        process.stdout.write("\r\nR1#")
        if lines <= mute:
            continue
        piece = pattern * (PIECE // len(pattern))
        while True:
            process.stdout.write(piece)
            await process.stdout.drain()


async def main(pattern: str, quiet_lines: int) -> None:
    """The first lines are answered as a device does."""
    listener = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=_Login,
        process_factory=lambda process: _flood(process, pattern, quiet_lines),
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        line_editor=False,
    )
    print(listener.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1].encode().decode("unicode_escape"), int(sys.argv[2])))
