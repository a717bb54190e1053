# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only place that calls `swanctl` and `pki`. PRIVATE to the collection."""

from __future__ import annotations

import os
import re
import shutil
import socket
import typing as t
from dataclasses import dataclass

from ... import _public_key
from ..._errors import VpnKeysError
from ..._public_key import PublicKey
from .. import commands

SOCKET = "/var/run/charon.vici"
INITIATE_SECONDS = 8
TERMINATE_SECONDS = 3

_TWIN = re.compile(r"due to existing duplicate \{(\d+)\}")

# A section of what `--pretty` prints: values, lists and sections under their names.
if t.TYPE_CHECKING:
    Tree = dict[str, t.Any]


@dataclass(frozen=True)
class Sa:
    """An IKE_SA. `id` only ever rises while charon runs; `children`: name and number of its installed CHILD_SAs."""

    connection: str
    id: int
    remote: str
    established: bool
    age: float
    children: t.Mapping[str, int]


class Initiated(t.NamedTuple):
    """Why there is no new CHILD_SA, or ""; `twin`: one of the same settings that made it needless, or 0."""

    complaint: str
    twin: int


@dataclass(frozen=True)
class Loaded:
    """A connection as charon has it: how many keys it accepts from the peer, and from which identities ("": from any),
    where it may be a raw public key."""

    name: str
    accepted: int
    identities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """A raw public key that charon has heard of since it started; `identity` "" where no connection names it."""

    key: PublicKey
    identity: str
    usable: bool


def answers() -> str:
    """"" when charon answers, else one sentence."""
    done = commands.attempt("swanctl", "--stats", "--raw")
    return "" if done.code == 0 else "charon does not answer on this gateway; start strongSwan, or check its log."


def why_no_pki() -> str:
    return "" if shutil.which("pki", path=commands.PATH) else "The program pki is not installed on this gateway."


def started() -> str:
    """What tells the running charon from an earlier one: it makes its socket when it starts.

    Where the socket lies elsewhere, the time of the start has to do; charon computes it each time again, so that it may
    differ by a second, and then less is known.
    """
    try:
        socket = os.stat(SOCKET)
        return f"{socket.st_ino} {socket.st_ctime_ns}"
    except OSError:
        pass
    replies = dict(_ask("--stats"))
    return str(replies["stats reply"]["uptime"]["since"])


def load() -> None:
    """Make charon's private keys and connections those of the files.

    Never with --raw: then `--load-creds` unloads the very private keys that it has just loaded.
    """
    for words in (("--load-creds", "--noprompt"), ("--load-conns",)):
        done = commands.attempt("swanctl", *words)
        if done.code:
            reason = answers() or f"swanctl {words[0]} failed: {done.complaint or f'it ended with {done.code}'}."
            raise VpnKeysError("refused", reason)


def unload(names: t.Iterable[str]) -> None:
    """Make charon forget these connections, and no others. `swanctl` has no word for that; charon itself has."""
    for name in names:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as charon:
                charon.settimeout(commands.PATIENCE)
                charon.connect(SOCKET)
                charon.sendall(_request("unload-conn", {"name": name}))
                size = int.from_bytes(_received(charon, 4), "big")
                answer = _received(charon, size)
        except OSError as error:
            why = error.strerror or error
            raise VpnKeysError("refused", f"charon could not unload the connection {name}: {why}.") from None
        if b"success\x00\x03yes" not in answer:
            raise VpnKeysError("refused", f"charon did not unload the connection {name}.")


def _request(command: str, values: t.Mapping[str, str]) -> bytes:
    """A command of charon's own protocol, with its length before it."""
    words = command.encode()
    message = bytes([0, len(words)]) + words
    for key, value in values.items():
        name, text = key.encode(), value.encode("utf-8", "surrogateescape")
        message += bytes([3, len(name)]) + name + len(text).to_bytes(2, "big") + text
    return len(message).to_bytes(4, "big") + message


def _received(charon: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = charon.recv(size - len(found))
        if not part:
            raise OSError("it ended the connection")
        found += part
    return found


def sas() -> list[Sa]:
    return [_sa(name, tree) for dummy, event in _ask("--list-sas") for name, tree in event.items()]


def loaded() -> list[Loaded]:
    events = (event for kind, event in _ask("--list-conns") if kind == "list-conn event")
    return [
        Loaded(name, len(_certificates(tree)), tuple(_raw_identities(tree)))
        for event in events
        for name, tree in event.items()
    ]


def known() -> list[Known]:
    """What charon's stores of credentials hold. A key stays there until charon ends."""
    result = []
    for dummy, tree in _ask("--list-certs", "--type", "pubkey"):
        if tree.get("type") == "PUBKEY" and "data" in tree:
            try:
                key = _public_key.from_der(bytes.fromhex(str(tree["data"])[2:]))
            except (VpnKeysError, ValueError):
                continue
            result.append(Known(key, str(tree.get("subject", "")), tree.get("has_privkey") == "yes"))
    return result


def initiate(connection: str, child: str) -> Initiated:
    """Make a CHILD_SA, and an IKE_SA for it unless there is one made with the same settings."""
    done = commands.attempt(
        "swanctl", "--initiate", "--ike", connection, "--child", child, "--timeout", str(INITIATE_SECONDS),
        seconds=INITIATE_SECONDS + 10,
    )  # fmt: skip
    if done.code == 0:
        return Initiated("", 0)
    twin = _TWIN.search(done.output)
    refusals = [word for word in ("AUTHENTICATION_FAILED", "NO_PROPOSAL_CHOSEN") if word in done.output]
    complaint = refusals[0] if refusals else done.complaint or f"swanctl --initiate ended with {done.code}"
    return Initiated(complaint, int(twin.group(1)) if twin else 0)


def terminate(number: int) -> None:
    """End an IKE_SA: the peer is told, and where it does not answer the IKE_SA ends all the same."""
    commands.attempt(
        "swanctl", "--terminate", "--ike-id", str(number), "--force", "--timeout", str(TERMINATE_SECONDS),
        seconds=TERMINATE_SECONDS + 10,
    )  # fmt: skip


def generate(algorithm: str, bits: int) -> str:
    """A new private key, in PEM."""
    size = ("--size", str(bits)) if algorithm == "rsa" else ()
    return commands.run("pki", "--gen", "--type", algorithm, *size, "--outform", "pem", seconds=300)


def request(path: str, name: str) -> str:
    """A certificate request for that common name, signed by the private key in a file: base64 of its DER."""
    text = commands.run("pki", "--req", "--in", path, "--dn", f"CN={name}", "--outform", "pem")
    return "".join(line for line in text.splitlines() if not line.startswith("-----"))


def public_of(path: str) -> PublicKey | None:
    """The public half of a private key file, None where it is not a private key that can be used."""
    done = commands.attempt("pki", "--pub", "--in", path, "--outform", "pem")
    return _usable(done)


def public_of_text(private: str) -> PublicKey:
    return _public_key.parse(commands.run("pki", "--pub", "--outform", "pem", given=private))


def public_in(path: str) -> PublicKey | None:
    """The key in a public key file (PEM or DER), None where it is not one."""
    done = commands.attempt("pki", "--pub", "--type", "pub", "--in", path, "--outform", "pem")
    return _usable(done)


def _usable(done: commands.Done) -> PublicKey | None:
    """An ECDSA key, say, is none that this collection looks after, and none of its business."""
    try:
        return _public_key.parse(done.output) if done.code == 0 else None
    except VpnKeysError:
        return None


def _sa(name: str, tree: Tree) -> Sa:
    children = tree.get("child-sas", {}).values()
    return Sa(
        name,
        int(tree["uniqueid"]),
        str(tree.get("remote-id", "")),
        tree.get("state") == "ESTABLISHED",
        float(tree.get("established", 0)),
        {str(child["name"]): int(child["uniqueid"]) for child in children if child.get("state") == "INSTALLED"},
    )


def _certificates(tree: Tree) -> list[str]:
    return [name for key, end in tree.items() if key.startswith("remote-") for name in end.get("certs", ())]


def _raw_identities(tree: Tree) -> t.Iterator[str]:
    """Of the ends that a raw public key may satisfy: one that names authorities wants a certificate."""
    for key, end in tree.items():
        of_keys = key.startswith("remote-") and end.get("class") in ("public key", "any")
        if of_keys and (end.get("certs") or not end.get("cacerts")):
            identity = str(end.get("id", ""))
            yield "" if identity == "%any" else identity


def _ask(*words: str) -> list[tuple[str, Tree]]:
    """The messages that charon answers with. Not --raw: there, nothing tells where a value ends."""
    return pretty(commands.run("swanctl", *words, "--pretty"))


def pretty(output: str) -> list[tuple[str, Tree]]:
    """Read what `swanctl --pretty` prints: messages with their names."""
    messages: list[tuple[str, Tree]] = []
    stack: list[t.Any] = []
    for line in output.splitlines():
        word = line.strip()
        if word in ("}", "]"):
            stack.pop()
        elif stack and isinstance(stack[-1], list):
            stack[-1].append(word)
        elif word.endswith(" {"):
            tree: Tree = {}
            if stack:
                stack[-1][word[:-2]] = tree
            else:
                messages.append((word[:-2], tree))
            stack.append(tree)
        elif word.endswith(" = ["):
            stack[-1][word[:-4]] = []
            stack.append(stack[-1][word[:-4]])
        elif " = " in word and stack:
            key, value = word.split(" = ", 1)
            stack[-1][key] = value
    return messages
