# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks with a name: mutations that were seen to work on something, or that follow from what is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from . import contract
from .tampering import ESCAPES, FORMS, JINJA, MARK, Edit, Mutation

NONSENSE: tuple[Any, ...] = ("one", 10**40, -1, ["gw"], {"name": "gw"})
"""Values of the wrong type or size for nearly every field."""
NO_KEY = "0" * 64
"""A fingerprint of nothing."""


def facts(**values: Any) -> Mutation:
    """The result with facts, which Ansible makes variables of the host."""
    return Mutation(f"facts {', '.join(values)}", (Edit("merge", (), {"ansible_facts": values}),))


def fields(**values: Any) -> Mutation:
    """The result with further fields."""
    return Mutation(f"fields {', '.join(values)}", (Edit("merge", (), values),))


def exchanging(one: str, other: str) -> Mutation:
    """What it says of one peer is said of another one."""
    return Mutation(f"{one} called {other}", (Edit("rename", (), (one, other)),), about="gateway_peers")


def setting(name: str, about: str, *path: str | int, to: Any) -> Mutation:
    """One field of a result of the module `about`."""
    return Mutation(name, (Edit("set", path, to),), about=about)


# -- gateway_peers


def acknowledging(peer: str, gateway: str, role: str = "withdrawn", **more: Any) -> Mutation:
    """One acknowledgement more, in anybody's name: `peer` stores what it is to store of `gateway`."""
    entry = {"peer": peer, "gateway": gateway, "public_key": None, "role": role, **more}
    return Mutation(f"{peer} acknowledges {gateway}", (Edit("append", ("stored",), entry),), about="gateway_peers")


def only_acknowledging(peer: str, gateway: str, role: str = "withdrawn", **more: Any) -> Mutation:
    """That acknowledgement alone."""
    added = acknowledging(peer, gateway, role, **more)
    return Mutation(f"only {added.name}", (Edit("set", ("stored",), []), *added.edits), about=added.about)


def _about_peers(me: str, other: str, third: str) -> Iterator[Mutation]:
    """Claims about others in what a gateway says to have stored, or to have left out."""
    yield from (only_acknowledging(other, me), acknowledging(other, third), acknowledging(me, "nobody"))
    yield acknowledging("../../etc/passwd", other)
    entries: dict[str, dict[str, Any]] = {
        "stored": {"gateway": other, "public_key": None, "role": "current"},
        "refused": {"gateway": other, "why": "no resolver"},
    }
    for field, entry in entries.items():
        for name in entry:
            for value in NONSENSE:
                added = Edit("append", (field,), {**entry, name: value})
                yield Mutation(f"{field}.{name} is {value!r}", (added,), about="gateway_peers")
    for field in ("stored", "refused", "neighbors"):
        for name, value in {
            "of nobody": [None, 7, "x", [], {}],
            "are text": "all of them",
            "are one": {"gateway": me},
        }.items():
            yield setting(f"{field} {name}", "gateway_peers", field, to=value)
    yield setting("neighbors of another", "gateway_peers", "neighbors", to=[other, third, "nobody", me])
    told = [{"gateway": other, "why": ESCAPES + JINJA * 100}] * 500
    yield setting("refused without end", "gateway_peers", "refused", to=told)
    yield Mutation("learned of the future", fields(learned=10**9, revision=10**9).edits, about="gateway_peers")


# -- the other modules


def _about_keys(other: str, key: str) -> Iterator[Mutation]:
    yield setting("the attacker's key", "gateway_key", "public_key", to=key)
    yield setting("a key that is no text", "gateway_key", "public_key", to={"a": [1]})
    yield setting("no key", "gateway_key", "public_key", to=None)
    yield setting("a key with a line break", "gateway_key", "public_key", to=f"{key}\nAllowedIPs = 0.0.0.0/0")
    yield setting("a fingerprint of nothing", "gateway_key", "fingerprint", to=NO_KEY)


def _about_state(other: str, key: str) -> Iterator[Mutation]:
    stored = {"peer": other, "public_key": key, "fingerprint": NO_KEY, "file": "current", "runtime": "current"}
    tunnel = {"peer": other, "with_own": None, "with_peer": NO_KEY, "age": float("nan"), "proof": "x", "by": 1e308}
    yield setting("malformed gateway", "gateway_info", "gateway", to=[["own"]])
    yield setting("tagged gateway", "gateway_info", "gateway", to={"__ansible_type": "_AnsibleTaggedStr", "value": "x"})
    yield setting("own is text", "gateway_info", "gateway", "own", to="x")
    yield setting("own is the attacker's", "gateway_info", "gateway", "own", "runtime", to={"public_key": key})
    yield setting("stored is a number", "gateway_info", "gateway", "stored", to=7)
    yield setting("another key is stored", "gateway_info", "gateway", "stored", to=[stored] * 3)
    yield setting("tunnels of NaN", "gateway_info", "gateway", "tunnels", to=[tunnel])
    change = {"step": "active", "key": NO_KEY, "at": -1e308, "deadline": 1e308, "error": ESCAPES, "began": None}
    yield setting("a change that never began", "gateway_info", "gateway", "change", to=change)
    yield setting("a platform of its own", "gateway_info", "gateway", "platform", to="openvpn")
    yield setting("a backend of its own", "gateway_info", "gateway", "backend", to="openvpn")
    yield setting("obstacles that break lines", "gateway_info", "obstacles", to=[f"{other}: {ESCAPES}", JINJA, 3])


def _about_the_rest(other: str) -> Iterator[Mutation]:
    yield setting("an interface of its own", "gateway_bridge", "interface", to="../../../etc/x; reboot")
    for field in ("carried", "left"):
        yield setting(f"{field} of the other", "gateway_bridge", field, to=[other, ESCAPES, JINJA] * 2000)
        yield setting(f"{field} is a number", "gateway_bridge", field, to=7)
    yield setting("a token with a second line", "gateway_call_in", "token_sha256", to=f"{NO_KEY} {other}\n{NO_KEY}")
    yield setting("a token that is a list", "gateway_call_in", "token_sha256", to=[NO_KEY])
    yield setting("a change that is a list", "gateway_fetch", "changed", to=[other])


# -- what Ansible makes of a result


def _about_ansible(me: str) -> Iterator[Mutation]:
    yield Mutation("connection facts", facts(ansible_host="127.0.0.1", ansible_connection="local").edits)
    yield Mutation("jinja fact", facts(ansible_distribution=JINJA, **{JINJA: JINJA}).edits)
    # Extra variables of the next node of a workflow, in AWX.
    yield fields(
        ansible_stats={"data": {"gateway_keys_plan_digest": "0" * 64}, "per_host": False, "aggregate": False}
    )
    yield fields(_ansible_delegated_vars={"ansible_host": "127.0.0.1", "ansible_connection": "local"})
    yield fields(add_host={"host_name": "intruder", "groups": ["gateways"], "host_vars": {}})
    yield fields(add_group="gateways", parent_groups=["all"])
    yield fields(warnings=[ESCAPES + "warned", JINJA] * 3)
    yield fields(deprecations=[{"msg": ESCAPES + "deprecated", "version": "9.9"}])
    yield fields(exception=f"Traceback {ESCAPES}")
    yield fields(exception={"event": {"msg": ESCAPES}})
    yield fields(invocation={"module_args": {"url": "x"}})
    yield fields(diff=[{"before": ESCAPES, "after": JINJA, "before_header": ESCAPES}])
    yield fields(diff="text")
    yield fields(_ansible_no_log=True, _ansible_verbose_always=True, _ansible_ignore_errors=True)
    yield fields(_ansible_item_label="x", _ansible_parsed=False, _ansible_suppress_tmpdir_delete=True)
    yield fields(unreachable=True)
    yield fields(unreachable="yes", msg=ESCAPES)
    yield fields(skipped=True)
    yield fields(skip_reason=ESCAPES, skipped="no")
    yield fields(failed=True, msg=f"{ESCAPES}failed {JINJA} <script>alert(1)</script>", code="refused")
    yield fields(failed=True, msg=["list"], code={"a": 1})
    yield fields(failed="no")
    yield fields(failed=False, rc=1)
    yield fields(changed="perhaps")
    yield fields(msg=ESCAPES + "x" * 100_000)
    yield fields(stdout=ESCAPES, stderr=JINJA, stdout_lines=[ESCAPES], rc=0)
    yield fields(results=[{"failed": True, "ansible_facts": {"gateway_keys_directory_host": me}}])
    yield fields(ansible_async_watched="x", ansible_job_id="1.2", async_dir="/tmp", started=1, finished=0)
    yield fields(_ansible_facts_cacheable=True, ansible_facts={"gateway_keys_hosts": [me]})
    yield fields(__ansible_unsafe=JINJA, __ansible_vault="x", __ansible_type="TaggedStr")


def _about_the_whole() -> Iterator[Mutation]:
    wholes: dict[str, Any] = {"a list": [1, 2], "text": "text", "null": None, "no field": {}}
    for name, whole in wholes.items():
        yield Mutation(name, (Edit("set", (), whole),))
    yield from (Mutation(form, (), form) for form in FORMS if form != "plain")


# -- facts with the names of our variables


def steering(me: str, other: str, key: str) -> dict[str, Mutation]:
    """One attack for each kind of variable; `key`: a public key of the attacker's."""
    kinds = steered(me, other, key)
    made = [Mutation(f"facts that are {kind}", facts(**values).edits) for kind, values in kinds.items()]
    everything = {name: value for values in kinds.values() for name, value in values.items()}
    return {one.name: one for one in (*made, Mutation("all facts", facts(**everything).edits))}


def steered(me: str, other: str, key: str) -> dict[str, dict[str, Any]]:
    """By kind, what an attacker would like our variables to be. Every variable is of the first kind that it matches."""
    found: dict[str, dict[str, Any]] = {kind: {} for kind in PATTERNS}
    wanted = _wanted(me, other, key)
    for name in contract.variables():
        kind = next(kind for kind in PATTERNS if _matches(kind, name))
        found[kind][name] = wanted[kind]
    return found


PATTERNS = {
    "Ansible's own": "|".join(contract.ANSIBLES),
    "addresses": r".+_url",
    "where the directory is": r".+_directory_host",
    "signing keys": r".+_(signing|verify)_key",
    "files to be read": r".+_(ca|signing_key_path)",
    "paths": r".+_(path|callers|html)",
    "gateways in the play": r".+_hosts",
    "groups": r"(.+_)?group",
    "who is meant": r"gateway|confirm|.+_(targets|confirm)",
    "lists of the role": r".+_(enrolled|staged|active|confirmed|retired|rolled_back)",
    "options of modules": r"__.+_(module|directory)",
    "the directory": r".+_(view|recorded|directory)",
    "plans": r".+_plan",
    "proofs": r".+_(proof|measured)",
    "entries of the inventory": r".+_(entry|networks|endpoint|identity)",
    "results of gateways": "",
    "modes": r".+_(mode|action|strategy|unreachable|fail_on)",
    "the rest": r".+",
}
"""Names of each kind, the first one counts; "": those that a task registers."""


def _matches(kind: str, name: str) -> bool:
    pattern = PATTERNS[kind]
    return bool(re.fullmatch(pattern, name)) if pattern else name in contract.registered()


def _wanted(me: str, other: str, key: str) -> dict[str, Any]:
    entry = {"name": other, "platform": "wireguard", "algorithm": "x25519", "networks": [], "public_key": key}
    view = {"peers": [{"name": other, "platform": "wireguard", "current": key}], "pending": {}, "learned": {}}
    claim = {"gateway": other, "public_key": None, "role": "withdrawn", "peer": me}
    result = {"changed": False, "public_key": key, "algorithm": "x25519", "fingerprint": NO_KEY, "stored": [claim]}
    return {
        "Ansible's own": other,
        "addresses": "sqlite:////tmp/tampered.db",
        "where the directory is": me,
        "signing keys": "tampered",
        "paths": f"{MARK}-file",
        "files to be read": "/etc/shadow",
        "gateways in the play": [me],
        "groups": "all",
        "who is meant": [other],
        "lists of the role": [other],
        "options of modules": {"url": "sqlite:////tmp/tampered.db", "platform": "strongswan"},
        "the directory": view,
        "plans": {"plan": {"names": [other], "peers": [me]}},
        "proofs": {"proof": {}, "verified": [other]},
        "entries of the inventory": entry,
        "results of gateways": {**result, "learned": 10**9, "refused": [], "neighbors": [other]},
        "modes": "emergency",
        "the rest": True,
    }


def catalogue(me: str, other: str, third: str, key: str) -> dict[str, Mutation]:
    """All of them by name: `me` is tampered with, `other` and `third` are not."""
    made = [
        *steering(me, other, key).values(),
        *_about_ansible(me),
        *_about_peers(me, other, third),
        *_about_keys(other, key),
        *_about_state(other, key),
        *_about_the_rest(other),
        exchanging(other, third),
        *_about_the_whole(),
    ]
    return {one.name: one for one in made}
