#!/usr/bin/env bash
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Four simulated key servers of one GET VPN group, made equal; then four real gateways, one of which gets a new key while
# traffic flows. Called by `make demo`.
set -u
lab=$(mktemp -d "${TMPDIR:-/tmp}/vpnops-demo.XXXXXX")
trap 'python -m lab down --dir "$lab" >/dev/null; rm -rf "$lab"' EXIT
trap 'exit 130' INT TERM
export ANSIBLE_CONFIG=tests/demo.cfg VPNOPS_KEYS_DIRECTORY_URL="sqlite:///$lab/directory.db"
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; else bold="" plain=""; fi

say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
fail() {
    printf '\nThe demo did not go as it should: %s\n' "$*" >&2
    exit 1
}
# play EXIT-CODE ARGUMENT...: shows and runs ansible-playbook, which has to end with that code; by means of the command
# in `within`, if there is one.
within=()
play() {
    local wanted=$1 got=0
    shift
    printf '%s$ ansible-playbook -i inventory.yml %s%s\n' "$bold" "$1${2:+ \\$'\n'      ${*:2}}" "$plain"
    ${within[@]+"${within[@]}"} ansible-playbook -i "$lab/inventory.yml" "$@" || got=$?
    [ "$got" = "$wanted" ] || fail "ansible-playbook $* ended with $got, not $wanted."
}
# What the devices hold and how often they were written to, without the counters of logins.
held() { python -m lab state --json --dir "$lab" | grep -Ev '"(sessions|logins|open)"'; }

say "Four simulated key servers of one GET VPN group, IOS 15 and IOS XE mixed"
echo "ks1 and ks2 hold the same key, ks3 another one, ks4 none."
echo "Fingerprints: the first digits of SHA-256 over the public key."
python -m lab up tests/lab/fleets/demo.yml --dir "$lab" >/dev/null || fail "the lab did not start."

say "1. Compare: who holds which key? This is to fail, as they are not equal"
play 2 vpnops.keys.compare_key_servers

say "2. Plan: what would be done? Nothing is changed"
play 0 vpnops.keys.sync_key_servers -e key_server_sync_mode=plan

say "3. Synchronize, with consent to replace the key that differs"
play 0 vpnops.keys.sync_key_servers -e key_server_sync_overwrite=always

say "4. Synchronize again: nothing is left to do"
before=$(held)
play 0 vpnops.keys.sync_key_servers -e key_server_sync_overwrite=always
[ "$(held)" = "$before" ] || fail "the second synchronization changed something."
echo "The devices hold what they held before, and nothing was written to them."

say "5. What the devices themselves say"
python -m lab state --dir "$lab" | cut -c -74

gateways() {
    say "6. Four real gateways: systemd, sshd and WireGuard, a tunnel between any two"
    python -m lab gateways up 4 --dir "$lab" >/dev/null || fail "the gateways did not start."
    echo "They have keys already. The directory takes them in:"
    play 0 vpnops.keys.enroll_gateways

    say "7. Rotate the key of gw1 while traffic flows"
    within=(scripts/demo-traffic "$lab" gw2 gw1)
    play 0 vpnops.keys.regenerate_gateway -e gateway=gw1 -e confirm=gw1
    within=()

    say "8. Directory, gateways and peers side by side"
    play 0 vpnops.keys.gateway_status -e gateway_keys_fail_on=drift
}

reason=$(python -c 'from lab import gateways; print(gateways.available())') || fail "the lab of gateways is broken."
if [ -z "$reason" ]; then
    gateways
else
    say "6. Left out: a new key for one of four real gateways, while traffic flows"
    fold -s -w 80 <<<"$reason"
fi

printf '%s\n' "" "To try more:" \
    "  make lab" \
    "  .venv/bin/ansible-playbook -i .lab/inventory.yml vpnops.keys.sync_key_servers" \
    "  .venv/bin/ansible-playbook -i .lab/inventory.yml vpnops.keys.enroll_gateways" \
    "  make lab-down"
