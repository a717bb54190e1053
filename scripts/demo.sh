#!/usr/bin/env bash
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Four simulated key servers of one GET VPN group, made equal. Called by `make demo`.
set -u
lab=$(mktemp -d "${TMPDIR:-/tmp}/vpnops-demo.XXXXXX")
trap 'python -m lab down --dir "$lab" >/dev/null 2>&1; rm -rf "$lab"' EXIT
export ANSIBLE_HOST_KEY_CHECKING=false ANSIBLE_CONFIG=tests/demo.cfg

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
play() { ansible-playbook -i "$lab/inventory.yml" "$@"; }
expect() {
    local wanted=$1 what=$2 got=0
    shift 2
    "$@" || got=$?
    [ "$got" = "$wanted" ] && return
    printf '\nThe demo did not go as it should: %s ended with %s, not %s.\n' "$what" "$got" "$wanted"
    exit 1
}

say "Starting four key servers: one without the key, one with another key, two equal; IOS 15 and IOS XE"
python -m lab up tests/lab/fleets/demo.yml --dir "$lab" || exit 1

say "1. Compare: who holds which key? (ends with 2: they are not equal)"
expect 2 "the comparison" play vpnops.keys.compare_key_servers

say "2. Plan: what would be done? Nothing is changed"
expect 0 "the plan" play vpnops.keys.sync_key_servers -e key_server_sync_mode=plan

say "3. Synchronize, with consent to replace the key that differs"
expect 0 "the synchronization" play vpnops.keys.sync_key_servers -e key_server_sync_overwrite=always

say "4. Synchronize again: nothing is left to do, nothing changes"
expect 0 "the second synchronization" play vpnops.keys.sync_key_servers

say "What the simulated devices themselves say"
python -m lab state --dir "$lab"
