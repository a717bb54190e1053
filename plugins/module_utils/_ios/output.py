# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a device prints for one line, as it comes: bounded, and its last piece as cheap as its first. PRIVATE to the
collection."""

from __future__ import annotations

import io

from .._errors import VpnKeysError
from .screen import Clean, prompts, strip_noise

MOST_OUTPUT = 4 * 1024 * 1024
"""Characters of one answer. A group member takes some 400 of them in the longest listing there is, so this is a key
server with 10,000 members. Running configurations are far smaller."""
MOST_LINES = 400_000
"""Line ends of one answer, CR and LF counted apart: a line costs more time than its characters. Those 10,000 members
have 280,000 of them."""
TAIL = 2_000
"""Characters at the end of the output in which prompts and questions are looked for."""


class Output:
    """The output of one host for one line."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._whole, self._uncounted = io.StringIO(), io.StringIO()
        self._size = self._lines = self._count = 0
        self._head = self._unanswered = self.raw_tail = ""

    def __len__(self) -> int:
        return self._size

    def add(self, text: str) -> None:
        """Raises VpnKeysError unreadable where it cannot be an answer any more."""
        self._size += len(text)
        self._lines += text.count("\n") + text.count("\r")
        if self._size > MOST_OUTPUT or self._lines > MOST_LINES:
            most = f"{MOST_OUTPUT >> 20} MiB" if self._size > MOST_OUTPUT else f"{MOST_LINES // 2} lines"
            raise VpnKeysError("unreadable", f"the device printed more than {most} for one command", host=self._host)
        self._whole.write(text)
        self._uncounted.write(text)
        self._head += text[: TAIL - len(self._head)]
        self.raw_tail = (self.raw_tail + text[-TAIL:])[-TAIL:]
        self._unanswered = (self._unanswered + text[-TAIL:])[-TAIL:]

    def answered(self) -> None:
        """What was printed so far needs no other answer."""
        self._unanswered = ""

    @property
    def head(self) -> str:
        """The first characters."""
        return strip_noise(self._head)

    @property
    def tail(self) -> str:
        """The last characters, as far as they are not answered."""
        return strip_noise(self._unanswered)

    def text(self) -> Clean:
        return strip_noise(self._whole.getvalue())

    def prompts(self, host: str) -> int:
        """How many lines begin with a prompt of a host. Always the same host: whole lines are counted once."""
        lines, last = _whole_lines(self._uncounted.getvalue())
        self._count += prompts(strip_noise(lines), host)
        self._uncounted = io.StringIO()
        self._uncounted.write(last)
        return self._count + prompts(strip_noise(last[:TAIL]), host)


def _whole_lines(text: str) -> tuple[str, str]:
    end = text.rfind("\n") + 1
    return text[:end], text[end:]
