# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`PYTHONPATH=tests python -m lab ...`: see README.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from . import control, daemon, guesses, sample
from .gateways import GatewayLabError
from .gateways import cli as gateway_commands
from .gateways import mesh as gateways
from .spec import load


def _up(args: argparse.Namespace) -> None:
    count = daemon.up(args.file, args.dir, args.processes)
    inventory = args.dir / "inventory.yml"
    print(
        f"{count} devices answer.\n"
        f"  playbooks: .venv/bin/ansible-playbook -i {inventory} vpnops.keys.compare_key_servers (group key_servers)\n"
        f"  by hand: ssh -F {args.dir / 'ssh_config'} NAME (the passwords are in {inventory})"
    )


def _down(args: argparse.Namespace) -> None:
    count = daemon.down(args.dir)
    stopped = [f"{count} process{'' if count == 1 else 'es'}"] if count else []
    stopped += ["the gateways"] if gateways.down(args.dir) else []
    print(f"stopped {' and '.join(stopped)}" if stopped else "nothing was running")


def _serve(args: argparse.Namespace) -> None:
    index, dummy, count = args.shard.partition("/")
    if args.dir:
        args.dir.mkdir(parents=True, exist_ok=True)
    asyncio.run(daemon.serve(load(args.file), args.dir, (int(index), int(count))))


def _ask(args: argparse.Namespace, **message: Any) -> Any:
    try:
        return control.request(control.socket_path(args.dir, 0), **message)
    except OSError as error:
        raise daemon.LabError(f"no lab is up in {args.dir} ({error.strerror})") from error


def _state(args: argparse.Namespace) -> None:
    devices = _ask(args, do="state")
    if args.json:
        print(json.dumps(devices, indent=2))
        return
    row = "{:<16} {:<20} {:>5} {:<10} {:<6} {:<14} {:>8} {:>5}".format
    print(row("device", "label", "bits", "exportable", "saved", "fingerprint", "sessions", "port"))
    for device in devices:
        name = device["name"] if device["alive"] else device["name"] + " (away)"
        for key in device["keys"] or [None]:
            shown = (
                (key["label"], key["bits"], _yes(key["exportable"]), _yes(key["saved"]), key["fingerprint"][:12])
                if key
                else ("-", "", "", "", "")
            )
            print(row(name, *shown, device["sessions"], device["port"]))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _set(args: argparse.Namespace) -> None:
    values = {}
    for pair in args.values:
        name, separator, value = pair.partition("=")
        if not separator:
            raise daemon.LabError(f"{pair!r} is not name=value")
        values[name] = yaml.safe_load(value)
    _ask(args, do="set", name=args.name, values=values)


def _clear(args: argparse.Namespace) -> None:
    _ask(args, do="clear", name=args.name)


def _reload(args: argparse.Namespace) -> None:
    _ask(args, do="reload", name=args.name, values={"seconds": args.seconds})


def _log(args: argparse.Namespace) -> None:
    for when, session, mode, kind, text in _ask(args, do="log", name=args.name)[0]:
        print(f"{when:12.3f} {session:>4} {mode:<10} {kind:<8} {text}")


def _sample(args: argparse.Namespace) -> None:
    content = sample.sample(args.count, args.groups, args.latency, args.personality, args.state)
    text = yaml.safe_dump(content, sort_keys=False)
    if args.output:
        args.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


def _guesses(args: argparse.Namespace) -> None:
    sys.stdout.write(guesses.table())


def parser() -> argparse.ArgumentParser:
    """The command line."""
    text = "Simulated Cisco IOS key servers over real SSH, and real VPN gateways."
    top = argparse.ArgumentParser(prog="lab", description=text)
    verbs = top.add_subparsers(required=True, metavar="COMMAND")

    def verb(name: str, run: Any, help: str, directory: bool = True) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=help, description=help)
        made.set_defaults(run=run)
        if directory:
            made.add_argument(
                "--dir", type=Path, default=Path(".lab"), help="directory of the running lab (default: .lab)"
            )
        return made

    up = verb("up", _up, "start a lab in the background; returns when every device answers")
    up.add_argument("file", type=Path)
    up.add_argument("--processes", type=int, default=1)
    verb("down", _down, "stop the lab, and the gateways in its directory")
    serve = verb("serve", _serve, "run a lab in the foreground", directory=False)
    serve.add_argument("file", type=Path)
    serve.add_argument("--dir", type=Path, default=None, help="lab directory, for the control socket")
    serve.add_argument("--shard", default="0/1", help=argparse.SUPPRESS)
    state = verb("state", _state, "which device holds which key")
    state.add_argument("--json", action="store_true", help="for programs: whole fingerprints, and counters")
    set_ = verb("set", _set, "set faults on a device, or on all")
    set_.add_argument("name")
    set_.add_argument("values", nargs="+", metavar="name=value")
    clear = verb("clear", _clear, "clear the faults of a device, or of all")
    clear.add_argument("name")
    reload = verb("reload", _reload, "reload a device: what was not written is gone")
    reload.add_argument("name")
    reload.add_argument("--seconds", type=float, default=None, help="how long it is away")
    log = verb("log", _log, "every line a device received")
    log.add_argument("name")
    many = verb("sample", _sample, "write a lab file with many key servers", directory=False)
    many.add_argument("count", type=int)
    many.add_argument("--groups", type=int, default=1)
    many.add_argument("--latency", type=float, default=0, help="milliseconds per command")
    many.add_argument("--personality", default="xe16")
    many.add_argument("--state", choices=("equal", "absent", "missing", "conflict"), default="equal")
    many.add_argument("--output", type=Path)
    verb("guesses", _guesses, "print the table of what is not known of real devices", directory=False)
    gateway_commands.add(verbs)
    return top


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; 1 and one sentence on stderr when it fails."""
    args = parser().parse_args(words)
    try:
        return args.run(args) or 0
    except (daemon.LabError, GatewayLabError, ValueError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
