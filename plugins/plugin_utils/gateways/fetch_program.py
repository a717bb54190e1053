# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that gateways fetch with: one file, from what the modules on gateways are made of, without Ansible.

The same sources always give the same bytes, so that a gateway can tell whether it has them.
"""

from __future__ import annotations

import functools
import io
import zipfile
from pathlib import Path

from ...module_utils import _errors

ROOT = Path(_errors.__file__).parent
PACKAGE = "vpnops_keys"
MODULES = (
    "_backends.py _errors.py _fingerprint.py _possession.py _printable.py _public_key.py "
    "_directory/merkle.py _directory/note_lines.py "
    "_publishing/ed25519.py _publishing/entries.py _publishing/publication.py _publishing/tree.py"
).split()
FOLDERS = ("_fetch", "_gateway")
NOT = {"_gateway/entry.py", "_gateway/call_in.py", "_fetch/install.py", "_gateway/installed.py"}
"""What only modules need; the first one needs Ansible."""
MAIN = f"import sys\n\nfrom {PACKAGE}._fetch.main import main\n\nsys.exit(main())\n"
BEFORE_ALL_TIME = (1980, 1, 1, 0, 0, 0)


@functools.cache
def built() -> bytes:
    """A file for `python FILE`."""
    sources = {f"{PACKAGE}/{name}": (ROOT / name).read_bytes() for name in _names()}
    packages = {"/".join(name.split("/")[:depth]) for name in sources for depth in range(1, name.count("/") + 1)}
    whole = {**sources, **{f"{one}/__init__.py": b"" for one in packages}, "__main__.py": MAIN.encode()}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name in sorted(whole):
            info = zipfile.ZipInfo(name, BEFORE_ALL_TIME)
            info.external_attr = 0o644 << 16
            file.writestr(info, whole[name], zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _names() -> list[str]:
    found = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return sorted({*MODULES, *(str(path.relative_to(ROOT)) for path in found)} - NOT)
