# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m bench [WHAT]`, with PYTHONPATH=.build:tests: all of it, some thirty minutes.

`--quick`: see that it works.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from lab.daemon import LabError
from lab.gateways import GatewayLabError

from . import directory, fetching, report
from .cases import CASES, HERE, QUICK, TOOLS
from .gateways import run as gateways
from .run import BenchError, Run, machine, run_case

PARTS = ("key_servers", "gateways", "directory", "fetching")
RESULTS = HERE / "results" / "latest.json"


def main() -> int:
    """Measure, write the results, show them."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=PARTS, help="default: all")
    parser.add_argument("--quick", action="store_true", help="small and once; nothing is written but to --output")
    parser.add_argument("--only", default="", metavar="WORD", help="only cases whose name has this; writes as --quick")
    parser.add_argument("--tools", metavar="A,B", help=f"key_servers: only of {', '.join(TOOLS)}; writes as --quick")
    parser.add_argument("--rounds", type=int, default=0, help="gateways: so many at most; writes as --quick")
    parser.add_argument("--raw", type=Path, help="gateways: a directory for the times of every packet")
    parser.add_argument("--output", type=Path, help="a file; default: in results/, with the tables in the guide")
    parser.add_argument("--report", action="store_true", help="measure nothing; write the tables from the last results")
    args = parser.parse_args()
    if args.output and not args.what:
        parser.error("--output is for one of them: name it")
    try:
        if args.what in (None, "key_servers"):
            key_servers(args)
        if args.what in (None, "directory") and not args.report:
            directory.measure(args.quick, args.output if args.what else None)
        if args.what in (None, "fetching") and not args.report:
            fetching.measure(args.quick, args.output if args.what else None)
        if args.what not in (None, "gateways"):
            return 0
        if args.report:
            gateways.rewrite()
        else:
            gateways.measure(args.quick, args.only, args.rounds, args.output, args.raw)
    except (BenchError, LabError, GatewayLabError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def key_servers(args: argparse.Namespace) -> None:
    """Their part."""
    if args.report:
        report.write(json.loads(RESULTS.read_text(encoding="utf-8")))
        return
    cases = [case for case in (QUICK if args.quick else CASES) if args.only in case.title]
    if args.tools:
        cases = [replace(case, tools=tuple(args.tools.split(","))) for case in cases]
    missing = [tool.title for tool in TOOLS.values() if not tool.here]
    if missing:
        print(f"not installed, left out: {', '.join(missing)}")
    where, runs = machine(), list[Run]()
    started = time.monotonic()
    for case in cases:
        print(case.title, flush=True)
        runs += run_case(case, lambda line: print(line, flush=True))
    where["seconds"] = round(time.monotonic() - started)
    results = {"machine": where, "runs": runs}
    whole = not (args.quick or args.only or args.tools)
    output = args.output or (RESULTS if whole else None)
    if output:
        output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(report.goals(results), end="")
    if whole:
        report.write(results)


if __name__ == "__main__":
    sys.exit(main())
