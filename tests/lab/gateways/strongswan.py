# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""strongSwan as an administrator sets it up: swanctl with raw public keys, ESP in userspace (kernel-libipsec)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from . import net
from .plan import Files, Plan

DIRECTORY = "etc/swanctl"
UNIT = "strongswan.service"
PORT = 4500
SETTLE = 0.0
# More plugins cost more time at the start, and some of them need what is not there.
PLUGINS = (
    "random nonce openssl curve25519 pem pkcs1 pkcs8 pubkey hmac kdf drbg gcm aes sha1 sha2 "
    "kernel-libipsec kernel-netlink socket-default vici updown"
)

AWAIT_LOADED = "n=0; until systemctl is-active --quiet strongswan; do [ $((n += 1)) -le 400 ]; sleep 0.05; done"
"""A shell script (sh -e): until the unit is active, which it is when swanctl has loaded everything. 20 s at most."""


def is_ready(namespace: str) -> bool:
    """Whether charon runs."""
    return net.listens(namespace, PORT)


def configure(plan: Plan) -> dict[int, Files]:
    """The files of every gateway, with fresh keys."""
    with ThreadPoolExecutor(4) as pool:
        made = pool.map(lambda dummy: _generate(plan.algorithm), plan.numbers)
    keys = dict(zip(plan.numbers, made, strict=True))
    pem = {number: _public(key) for number, key in keys.items()}
    plugins = {f"etc/strongswan.d/charon/{name}.conf": _plugin(name) for name in PLUGINS.split()}
    result = {}
    for number in plan.numbers:
        files = {name: (0o644, text) for name, text in plugins.items()}
        files[f"{DIRECTORY}/swanctl.conf"] = (0o640, "include conf.d/*.conf\n")
        files[f"{DIRECTORY}/private/gw{number}.key"] = (0o600, _private(keys[number]))
        for known in [number, *plan.peers(number)]:
            files[f"{DIRECTORY}/pubkey/gw{known}.pub"] = (0o644, pem[known])
        files[f"{DIRECTORY}/conf.d/mesh.conf"] = (0o640, _connections(plan, number))
        result[number] = files
    return result


def initiate(peers: Sequence[int]) -> str:
    """A shell script that sets up the tunnels to `peers`, all at once. Both ends must have loaded their configuration:
    what a peer does not know yet it refuses (NO_PROPOSAL_CHOSEN), and nobody tries again.
    """
    one = "swanctl --initiate --child gw{0} --timeout 10 >/dev/null 2>&1 &"
    return "\n".join([*(one.format(peer) for peer in peers), "wait"])


def _generate(algorithm: str) -> RSAPrivateKey | Ed25519PrivateKey:
    return generate_private_key(65537, 3072) if algorithm == "rsa" else Ed25519PrivateKey.generate()


def _private(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    form = PrivateFormat.TraditionalOpenSSL if isinstance(key, RSAPrivateKey) else PrivateFormat.PKCS8
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def _public(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _plugin(name: str) -> str:
    return f"{name} {{\n    load = yes\n}}\n"


def _connections(plan: Plan, number: int) -> str:
    peers = "\n".join(_connection(plan, number, peer) for peer in plan.peers(number))
    return f"# gw{number}: to be changed by the network team only\nconnections {{\n{peers}}}\n"


def _connection(plan: Plan, number: int, peer: int) -> str:
    everything = "10.79.0.0/16"
    local = everything if plan.link == "hub" and number == 1 else plan.network(number)
    remote = everything if plan.link == "hub" and peer == 1 else plan.network(peer)
    return f"""\
    # to gw{peer}
    gw{peer} {{
        version = 2
        local_addrs = {plan.underlay(number)}
        remote_addrs = {plan.underlay(peer)}
        rekey_time = 24h
        reauth_time = 0
        local {{
            auth = pubkey
            id = gw{number}
            pubkeys = gw{number}.pub
        }}
        remote {{
            auth = pubkey
            id = gw{peer}
            pubkeys = gw{peer}.pub   # from gw{peer}'s administrator
        }}
        children {{
            gw{peer} {{
                local_ts = {local}
                remote_ts = {remote}
                rekey_time = 24h
                start_action = {plan.start_action}
            }}
        }}
    }}
"""
