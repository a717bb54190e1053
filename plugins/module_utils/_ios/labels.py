# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of RSA keys on IOS. PRIVATE to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._errors import VpnKeysError

# Our own limit: IOS takes longer ones, but no release documents how long.
LONGEST = 64
SCRATCH_SUFFIX = ".vpnops-new"
_ALLOWED = re.compile(r"[A-Za-z0-9._-]+\Z")

# Words that IOS takes for something else at the place of a label or beside it. IOS also takes any unambiguous
# beginning of a keyword, but only where no name is possible, so whole words are enough.
_KEYWORDS = frozenset(
    "all default ec encryption exportable general-keys label modulus name on pem redundancy rsa signature"
    " storage terminal url usage-keys".split()
)


@dataclass(frozen=True, order=True)
class Label:
    """The name of a key, safe to stand in a command line. Only `Label.parse` and `scratch` make one."""

    name: str

    def __post_init__(self) -> None:
        problem = _problem(self.name)
        if problem:
            raise VpnKeysError("bad_input", problem)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def parse(cls, text: str) -> Label:
        """The label a user named. Raises VpnKeysError("bad_input")."""
        label = cls(text)
        if label.is_scratch:
            raise VpnKeysError(
                "bad_input",
                f"The label {text!r} ends in {SCRATCH_SUFFIX!r}, which is reserved for staged keys; "
                "choose another name.",
            )
        return label

    @property
    def is_scratch(self) -> bool:
        return self.name.endswith(SCRATCH_SUFFIX)

    @property
    def scratch(self) -> Label:
        """Where the next key of this label is proved before it takes the label over."""
        return self if self.is_scratch else Label(self.name + SCRATCH_SUFFIX)


def _problem(name: object) -> str | None:
    if not isinstance(name, str) or not name:
        return "The label of an RSA key must be text and must not be empty."
    own = name.removesuffix(SCRATCH_SUFFIX)
    if not own:
        return f"The label {name!r} is only a suffix that this collection uses itself."
    if len(own) > LONGEST:
        return f"The label is {len(own)} characters long; this collection allows {LONGEST}."
    if not _ALLOWED.match(name):
        return f"The label {name!r} has characters other than letters, digits, '.', '_' and '-'."
    if name[0] == "-":
        return f"The label {name!r} begins with '-'."
    if name.lower() in _KEYWORDS:
        return f"The label {name!r} is a keyword of IOS; choose another name."
    if name.upper() == "ERROR":
        return f"The label {name!r} makes output that shows it look like an error; choose another name."
    if name.endswith(".server"):
        return f"The label {name!r} ends in '.server', which IOS uses for its own temporary keys."
    return None
