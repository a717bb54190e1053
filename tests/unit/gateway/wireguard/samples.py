# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of wg-quick, as people and as hypothesis write them."""

from __future__ import annotations

import base64
import hashlib

from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils._public_key import PublicKey, parse


def raw_key(name: str) -> str:
    """Some key, always the same for a name."""
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


def key(name: str) -> PublicKey:
    return parse(raw_key(name))


OWN, A, B, C, NEW, NEWER = (key(name) for name in ("own", "a", "b", "c", "new", "newer"))
PSK = raw_key("psk")

TYPICAL = f"""# the network team's
[Interface]
PrivateKey = {raw_key("secret")}
Address=10.0.0.1/24  # inside

# a
[Peer]
# by the door
publickey={A.text} # do not touch
PresharedKey = {PSK}

AllowedIPs = 10.0.0.2/32, fd00:0::2
Endpoint = a.example:51820
PersistentKeepalive = 25

[Peer]
AllowedIPs = 10.0.0.3
AllowedIPs = 10.3.0.1/16
PublicKey = {B.text}
# the end
"""

SPACES = st.sampled_from(["", " ", "\t", "  "])
COMMENTS = st.sampled_from(["", "#", "# by hand", "   # [Peer] PublicKey = x", "\t", "#PublicKey = old"])
ENDS = st.sampled_from(["", "", " # why", "#x", "  "])


@st.composite
def entries(draw: st.DrawFn, keyword: str, value: str) -> str:
    written = draw(st.sampled_from([keyword, keyword.lower(), keyword.upper()]))
    return draw(SPACES) + written + draw(SPACES) + "=" + draw(SPACES) + value + draw(ENDS)


@st.composite
def sections(draw: st.DrawFn, header: str, lines: list[str]) -> list[str]:
    """A section whose entries are in any order, with comments among them."""
    result = [draw(st.sampled_from([header, header.lower(), header + " # here"]))]
    for line in draw(st.permutations(lines)):
        result += [*draw(st.lists(COMMENTS, max_size=2)), line]
    return result


@st.composite
def files(draw: st.DrawFn) -> str:
    """A file with an interface and the peers a, b and c, in any order, with or without an end of the last line."""
    own = [draw(entries("PrivateKey", raw_key("secret"))), draw(entries("Address", "10.0.0.1/24"))]
    parts = [draw(sections("[Interface]", own))]
    for number, peer in enumerate((A, B, C), 2):
        lines = [draw(entries("PublicKey", peer.text)), draw(entries("AllowedIPs", f"10.0.0.{number}/32"))]
        optional = [("PresharedKey", PSK), ("Endpoint", f"h{number}:1"), ("PersistentKeepalive", "25")]
        lines += [draw(entries(*some)) for some in optional if draw(st.booleans())]
        parts.append(draw(sections("[Peer]", lines)))
    lines = draw(st.lists(COMMENTS, max_size=3))
    for part in draw(st.permutations(parts)):
        lines += part + draw(st.lists(COMMENTS, max_size=3))
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines + draw(st.sampled_from([[], [""]])))
