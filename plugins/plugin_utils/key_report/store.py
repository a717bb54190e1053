# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports in files: whether there is anything new to write, and who may read it."""

from __future__ import annotations

import os
import re
import stat
import typing as t
from dataclasses import dataclass

from ...module_utils._errors import NOTHING_WRITTEN, VpnKeysError
from .. import whole_file
from ..tables import output

Data = dict[str, t.Any]
LONGEST_DIFF = 104448
"""Characters: what Ansible's own modules show of a file at most."""


@dataclass(frozen=True)
class File:
    """A file as it shall be. `digest` stands in it, and is the same as long as it says the same."""

    path: str
    content: str
    digest: str
    mode: int

    def keep(self, refresh: bool, check: bool) -> Data | None:
        """Write it unless it says that already. Returns the difference, None if there is none."""
        before = output.read(self.path)
        same = before == self.content or (before is not None and not refresh and self.digest in before)
        mode = _mode_of(self.path)
        if same and mode == self.mode:
            return None
        if not check:
            whole_file.write(self.path, before if same and before is not None else self.content, self.mode)
        headers = {"before_header": _header(self.path, mode), "after_header": _header(self.path, self.mode)}
        return headers | ({} if same else _shown("before", before or "") | _shown("after", self.content))


def parse_mode(text: str) -> int:
    """Raises VpnKeysError(bad_input)."""
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise VpnKeysError(
            "bad_input",
            f'O(mode) must be three octal digits in quotes, like "0644", not {text}',
            state=NOTHING_WRITTEN,
        )
    return int(text, 8)


def _mode_of(path: str) -> int | None:
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except (OSError, ValueError):
        return None


def _header(path: str, mode: int | None) -> str:
    return path if mode is None else f"{path} ({mode:04o})"


def _shown(when: str, content: str) -> Data:
    if len(content) > LONGEST_DIFF:
        return {"src_larger" if when == "after" else "dst_larger": LONGEST_DIFF}
    return {when: content}
