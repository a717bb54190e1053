# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks that set up peers, in every form in which people write them: followed, or named with the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.gateway.wireguard.samples import NEW, PSK, TYPICAL, A, B, C, raw_key
from unit.gateway.wireguard.test_store import RUNNING, carried_out, running, wanted
from unit.gateway.wireguard.test_store import peer as running_peer

from ansible_collections.vpnops.keys.plugins.module_utils._gateway.platform import PeerChange, WantedPeer
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import (
    boot,
    others,
    sections,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import (
    platform as wireguard,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import (
    record as wg_record,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import (
    store as wg_store,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.runtime import Runtime, Setting
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.wg_quick import config, hooks
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.wg_quick import (
    record as wg_quick,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.wg_quick.hooks import Effects
from ansible_collections.vpnops.keys.plugins.plugin_utils import device_answer

PEERS = "/etc/wireguard/peers.conf"
LOADER = "#!/bin/sh\n# load the peers\n\nwg addconf \"$1\" /etc/wireguard/peers.conf\n"
FIREWALL = "#!/bin/bash\niptables -A FORWARD -i wg0 -j ACCEPT  # wg set up by a peer\nip link set wg0 up\n"
SCRIPTS = {
    "/etc/wireguard/up.sh": LOADER,
    "/etc/wireguard/fw.sh": FIREWALL,
    "/opt/long.sh": '#!/bin/sh\nset -e\nwg set "$1" \\\n  listen-port 1 \\\n  peer KEY preshared-key /x\n',
    "/opt/up.py": '#!/usr/bin/python3\nimport subprocess\nsubprocess.run(["wg", "set", "wg0", "peer", key])\n',
    "load-peers": LOADER,
    "wg-quick": "wg addconf\n",
    "/opt/first.sh": "#!/bin/sh\nset -e\n. /opt/second.sh  # the rest\n",
    "/opt/second.sh": '#!/bin/sh\n/opt/first.sh\nif true; then /etc/wireguard/up.sh "$1"; fi\n',
    "/opt/cut.sh": '#!/bin/sh\nnumber=${1#wg}; wg set "$1" peer KEY allowed-ips 10.0.$number.0/24\n',
    "/opt/crlf.sh": '#!/bin/sh\r\nwg set "$1" \\\r\n  peer KEY\r\n',
    "/opt/other.sh": "#!/bin/sh\nwg set wg1 peer KEY remove; wg addconf wg1 /etc/wireguard/wg1.peers\n",
    "/opt/save.sh": "#!/bin/sh\numask 077\nwg showconf wg0 | tee /etc/wireguard/wg0.conf\n",
    "/opt/wg-save.sh": "#!/bin/sh\nwg-quick save wg0\n",
    "/opt/beside.sh": '#!/bin/bash\nset -e\nDIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"\n. "$DIR/second.sh"\n',
    "/opt/dirname.sh": "#!/bin/sh\ncd $(dirname $0)\n./second.sh\n",
    "/opt/computed.sh": '#!/bin/sh\n# from a list\nfor f in /etc/wireguard/up.d/*; do\n  $f "$1"\ndone\n',
    "/opt/environment.sh": '#!/bin/sh\n. /etc/default/wg\n"$WG_DIR/up.sh"\n',
    "/opt/evaluated.sh": '#!/bin/sh\neval "$(cat /etc/wireguard/up.txt)"\n',
    "/opt/word.sh": '#!/bin/bash\ncat <<< "up"\nn=$((1<<bits))\n"$DIR/x.sh"\n',
    "/opt/function.sh": '#!/bin/bash\nfunction up { "$DIR/x.sh"; }\nup\n',
    "/opt/again.sh": "#!/bin/sh\nDIR=/etc/none\nDIR=/etc/wireguard; $DIR/up.sh\n",
    "/opt/words.sh": '#!/bin/sh\nRUN="sudo -n"\nUP="/etc/wireguard/up.sh up"\n$RUN $UP\n',
    "/opt/goes-on.sh": "#!/bin/sh\ncat /etc/wireguard/up.txt |\n  sh\n",
    "/opt/quotes.sh": '#!/bin/bash\necho $\'it\\\'s\'\n"$DIR/x.sh"\n',
    "/opt/stdin.sh": "#!/bin/sh\nbash <<EOF\n$DIR/x.sh\nEOF\n",
    "/opt/variables.sh": (
        "#!/bin/sh\nIPT=/sbin/iptables\nSUDO=\nWG=$(which wg)\n"
        "case $1 in\n  up|*x) $IPT -A INPUT -i \"$1\" -j ACCEPT;;\n  *) exit;;\nesac\n"
        "$SUDO sysctl -w net.ipv4.ip_forward=1\n$WG show | awk '\n  $1 == \"peer:\" { print $2 }\n'\n"
        "cat <<END >/run/state\n$1 is up\nEND\nrun() { \"$@\"; }\nrun ip route add fd00::/8 dev \"$1\" 2>/dev/null\n"
        "while read -r line; do echo $line; done < /etc/hosts\n"
        "[ -x /sbin/ufw ] && [[ $1 == wg* ]] && exec /sbin/ufw allow 1\n"
    ),
    "/usr/bin/resolvconf": '#!/bin/sh\nrun-parts /etc/resolvconf/update.d\n$HOOK "$@"\n',
    "/usr/local/bin/up-all": '#!/bin/sh\n"$DIR/all.sh"\n',
    "/opt/perl.pl": "#!/usr/bin/perl\n$x = 1;\n",
    "/opt/notify.py": "#!/usr/bin/env python3\nimport requests\nrequests.get('https://h/up')\n",
    "/opt/paths.py": "#!/usr/bin/python3\nimport subprocess, sys\nsubprocess.run([sys.argv[1] + '/' + 'up.sh'])\n",
    "/opt/rules.nft": "#!/usr/sbin/nft -f\nflush ruleset\n",
    "/opt/calls.sh": "#!/bin/sh\nip link set wg0 up\nexec /opt/paths.py\n",
    "/opt/hash.sh": '#!/bin/sh\necho "a # b"; wg set wg0 peer KEY remove\n',
    "/opt/both.py": "#!/usr/bin/python3\nimport os\nos.system('wg set wg0 peer KEY')\n",
    "/opt/bin/up-there": LOADER,
    "/usr/local/bin/peerd": hooks.PROGRAM,
    "/usr/local/bin/wg": hooks.PROGRAM,
    "/usr/bin/iptables": hooks.PROGRAM,
    "/usr/local/share/list.db": hooks.DATA,
    "/usr/bin/ufw": "#!/usr/bin/python3\nimport subprocess\nsubprocess.run(x)\n",
    "/run/up.sh": "#!/bin/sh\nip link set wg0 up\n",
    "/run/lock": "",
    "/run/current-system/sw/bin/echo": hooks.PROGRAM,
    "/nix/store/x-coreutils/bin/date": hooks.PROGRAM,
    "/nix/store/x-postup/bin/postup": LOADER,
    "/opt/env.nft": "#!/usr/bin/env -S nft -f\nflush ruleset\n",
    "/etc/nftables.conf": "#!/usr/sbin/nft -f\nflush ruleset\n",
    "/etc/init.d/old": LOADER,
    "/opt/key.sh": '#!/bin/sh\nwg set "$1" private-key /etc/wireguard/key\n',
}


UNITS = {
    "dnsmasq.service": {"/lib/systemd/system/dnsmasq.service": "[Service]\nExecStart=/etc/dnsmasq/start $OPTIONS\n"},
    "peers.service": {
        "/etc/systemd/system/peers.service": "[Unit]\nAfter=x\n[Service]\nExecStart=-/usr/bin/wg setconf wg0 /p\n"
    },
    "peers@wg0.service": {"/etc/systemd/system/peers@.service": "[Service]\nExecStart=/etc/wireguard/up.sh %i\n"},
    "python.service": {"/etc/systemd/system/python.service": "[Service]\n\nExecStart=/usr/bin/python3 /opt/paths.py\n"},
    "computed.service": {"/etc/systemd/system/computed.service": "[Service]\nExecStart=/opt/%H/up.sh\n"},
    "firewall.service": {"/etc/systemd/system/firewall.service": "[Service]\nExecStart=/etc/wireguard/fw.sh\n"},
    "pulls.service": {"/etc/systemd/system/pulls.service": "[Unit]\nWants=peers.service\n"},
    "peers.timer": {"/etc/systemd/system/peers.timer": "[Timer]\nOnBootSec=9\nUnit=peers.service\n"},
    "other.service": {"/etc/systemd/system/other.service": "[Service]\nExecStart=/usr/bin/wg setconf wg1 /p\n"},
    "changed.service": {
        "/lib/systemd/system/changed.service": "[Service]\nExecStart=/usr/sbin/changed\n",
        "/etc/systemd/system/changed.service.d/a.conf": "[Service]\nExecStartPost=/etc/wireguard/up.sh\n",
    },
}
FILES = hooks.Files(SCRIPTS.get, lambda unit: UNITS.get(unit, {}))


def effects(*lines: str) -> Effects:
    text = "\n".join(["[Interface]", f"PrivateKey = {raw_key('secret')}", *lines, ""])
    return hooks.effects(config.parse(text, "wg0.conf"), "wg0", FILES)


@pytest.mark.parametrize(
    "line",
    [
        "PostUp = iptables -A FORWARD -i %i -j ACCEPT; iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE",
        "PostUp = nft add rule inet filter forward iifname wg accept",
        "PostUp = ip route add 10.0.0.0/8 dev %i table 7 && ip rule add from 10.1.0.0/16 table 7",
        "PostUp = ip addr add 10.0.0.1 peer 10.0.0.2 dev %i",
        "PostUp = iptables -A INPUT -m set --match-set vpn src -m comment --comment peer -j ACCEPT",
        "PostUp = resolvectl dns %i 10.0.0.53; resolvectl domain %i ~corp",
        "PostUp = sysctl -w net.ipv4.ip_forward=1",
        "PostUp = wg set %i private-key /etc/wireguard/%i.key",
        "PostUp = wg set %i fwmark 51820 listen-port 51821",
        "PostUp = wg show %i; /usr/bin/wg show %i dump > /run/dump",
        "PostUp = wg set wg1 peer KEY preshared-key /x; wg addconf wg1 /etc/wireguard/other.conf",
        "PostUp = echo 'the peers are not set up'",
        "PostUp = echo 'a quote that does not end",
        "PostUp = ping -c1 10.0.0.2 || true",
        "PostUp = /etc/wireguard/fw.sh %i",
        "PostUp = bash /etc/wireguard/fw.sh",
        "PostUp = /etc/wireguard/missing.sh",
        "PostUp = wg-quick up wg1",
        "PostUp = /opt/other.sh",
        "PostUp = /opt/variables.sh %i",
        "PostUp = cd /etc/wireguard && ./fw.sh %i",
        "PostUp = F=/etc/wireguard/fw.sh; $F %i; bash \"$F\" %i",
        "PostUp = echo nameserver 10.0.0.53 | resolvconf -a tun.%i -m 0 -x",
        "PostUp = /usr/bin/resolvconf -u",
        "PostUp = iptables -A FORWARD -s $(ip -4 -o addr show %i | awk '{print $4}') -j ACCEPT",
        "PostUp = bash -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'",
        "PostUp = `which iptables` -A INPUT -j ACCEPT; $(command -v nft) -f /etc/nftables.conf",
        "PostUp = ip -6 route add fd00::/8 dev %i; find /etc/wireguard -name '*.old' -exec rm {} +",
        "PostUp = timeout 5 ping -c1 10.0.0.2; sudo -u root ip link set mtu 1380 dev %i",
        "PostUp = for n in 10.0.0.0/8 10.1.0.0/16; do ip route add $n dev %i; done",
        "PostUp = logger -t wg '%i is up'; echo up >> /var/log/wg.log; sleep 1",
        "PostUp = curl -fsS -m 5 https://hc.example.com/ping/1 || true; wget -qO- https://h/up?if=%i",
        "PostUp = iptables-restore < /etc/iptables/rules.v4; ip6tables -A INPUT -j ACCEPT; ufw route allow in on %i",
        "PostUp = nft -f /opt/rules.nft; /opt/rules.nft; nft -f /etc/nftables.conf",
        "PostUp = systemctl restart dnsmasq; systemctl --no-block try-restart unbound.service; systemctl daemon-reload",
        "PostUp = systemctl is-active peers || systemctl stop peers; systemctl enable peers; systemctl status python",
        "PostUp = service dnsmasq restart; /etc/init.d/dnsmasq reload; service old stop",
        "PostUp = systemctl start firewall other missing",
        "PostUp = /run/current-system/sw/bin/echo x; /nix/store/x-coreutils/bin/date; /opt/env.nft",
        "PostUp = ip route | awk '/a-f/ {print $3; exit}'",
        "PostUp = ssh -i /root/.ssh/id monitor@10.9.0.1 /usr/bin/notify %i",
        "PostUp = sed -i 's/a/b/' /etc/wireguard/state; grep -q x /opt/paths.py; test -x /opt/paths.py",
        "PostUp = ip -4 route show | awk '$1 == \"default\" {print $3 | 7}' > /run/gw",
        "PostUp = /usr/local/bin/wg show %i; wg show %i latest-handshakes | awk '{print $2}'",
        "PostUp = wg set %i fwmark $MARK listen-port $PORT; wg set wg1 $PEERS",
        "PostUp = cp /opt/up.py /usr/local/share/; chmod +x /opt/up.py; sqlite3 /usr/local/share/list.db 'select 1'",
        "PostUp = flock /run/lock iptables -A INPUT -j ACCEPT; docker ps -q; nmcli device set %i managed no",
        "PostUp = date -d @$(stat -c %Y /etc/hosts); echo \"up since $(date) on $(hostname)\"",
        "PostUp = printf 'nameserver 10.0.0.53' | resolvconf -a %i; modprobe nf_conntrack; conntrack -F",
        "PostUp = /opt/notify.py %i  # vpnops.keys: sets no peers",
        "PostUp = docker restart adguard # vpnops.keys: sets no peers",
        "PreUp = wg addconf %i /etc/wireguard/peers.conf",
        "PostDown = wg set %i peer KEY remove",
        "# PostUp = wg addconf %i /etc/wireguard/peers.conf",
    ],
)
def test_hooks_that_do_nothing_to_the_peers(line: str) -> None:
    """What a PreUp does is replaced by the sections right afterwards; what a PostDown does ends with the interface."""
    assert effects(line) == Effects()


@pytest.mark.parametrize(
    "line",
    [
        "PostUp = wg addconf %i /etc/wireguard/peers.conf",
        "postup=wg addconf wg0 '/etc/wireguard/peers.conf' # all of them",
        "PostUp = iptables -A INPUT -i %i -j ACCEPT; /usr/bin/wg addconf %i /etc/wireguard/peers.conf",
        "PostUp = test -f /etc/wireguard/peers.conf && wg addconf %i /etc/wireguard/peers.conf || true",
        "PostUp = awg addconf %i /etc/wireguard/peers.conf",
    ],
)
def test_addconf_of_a_file_is_followed(line: str) -> None:
    assert effects(line) == Effects(files=(PEERS,))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("PostUp = wg setconf %i /etc/wireguard/peers.conf", f"= wg setconf wg0 {PEERS} replaces"),
        ("PostUp = wg syncconf %i /etc/wireguard/peers.conf", f"= wg syncconf wg0 {PEERS} replaces"),
        ("PostUp = wg syncconf %i <(wg-quick strip %i)", "replaces the peers"),
        ("PostUp = wg addconf %i <(cat /etc/wireguard/peers/*)", "cannot be analyzed"),
        ("PostUp = wg addconf %i peers.conf", "cannot be analyzed"),
        ("PostUp = wg addconf %i /etc/wireguard/peers.d/$(hostname).conf", "cannot be analyzed"),
        ("PostUp = wg addconf %i /dev/stdin < /etc/wireguard/peers.conf", "cannot be analyzed"),
        ("PostUp = cat /etc/wireguard/peers/* | wg addconf %i /dev/stdin", "PostUp changes peers"),
        ("PostUp = awg setconf %i /etc/amnezia/peers.conf", "replaces the peers"),
        ("PostUp = bash -c 'wg addconf %i /etc/wireguard/peers.conf'", "PostUp changes peers"),
        ('PostUp = for f in /etc/wireguard/peers/*; do wg addconf %i "$f"; done', "PostUp changes peers"),
        ("PostUp = $WG set $INTERFACE peer $(cat key) allowed-ips 10.0.0.9/32", "PostUp changes peers"),
        ("PostUp = sudo wg set %i peer KEY allowed-ips 10.0.0.9/32", "PostUp changes peers"),
        ("PostUp = ip netns exec vpn wg addconf %i /etc/wireguard/peers.conf", "PostUp changes peers"),
        ("PostUp = echo it's up; wg addconf %i /etc/wireguard/peers.conf", "PostUp changes peers"),
        ("PostUp = /etc/wireguard/up.sh %i", "PostUp runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = sh /etc/wireguard/up.sh %i", "PostUp runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = sh -x /etc/wireguard/up.sh %i || true", "runs /etc/wireguard/up.sh, whose line 4"),
        ("PostUp = load-peers", "PostUp runs load-peers, whose line 4 changes peers"),
        ("PostUp = /opt/long.sh %i", "PostUp runs /opt/long.sh, whose line 3 changes peers"),
        ("PostUp = $(which wg) set %i peer KEY allowed-ips 10.0.9.0/24", "PostUp changes peers"),
        ("PostUp = `command -v wg` set %i peer KEY remove", "PostUp changes peers"),
        ("PostUp = ${WG:-/usr/bin/wg} set %i peer KEY remove", "PostUp changes peers"),
        ("PostUp = /opt/first.sh %i", "PostUp runs /opt/first.sh, whose line 3 changes peers"),
        ("PostUp = test -x /opt/second.sh && exec /opt/second.sh", "runs /opt/second.sh, whose line 3 changes peers"),
        ("PostUp = cd /opt && ./first.sh", "PostUp runs /opt/first.sh, whose line 3 changes peers"),
        ("PostUp = cd /etc/wireguard; . ./up.sh", "PostUp runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = (cd /etc/wireguard && sh up.sh)", "PostUp runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = DIR=/etc/wireguard; $DIR/up.sh", "PostUp runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = sh < /etc/wireguard/up.sh", "PostUp runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = bash -c '/etc/wireguard/up.sh %i'", "runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = eval '/etc/wireguard/up.sh %i'", "runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = timeout 9 /etc/wireguard/up.sh %i", "runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = sudo -u root bash /etc/wireguard/up.sh", "runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = flock /run/l /etc/wireguard/up.sh", "runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = ip netns exec vpn /etc/wireguard/up.sh", "runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = su -c '/etc/wireguard/up.sh' root", "runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = x=$(/etc/wireguard/up.sh)", "runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = /opt/beside.sh", "PostUp runs /opt/beside.sh, whose line 4 changes peers"),
        ("PostUp = /opt/dirname.sh", "PostUp runs /opt/dirname.sh, whose line 3 changes peers"),
        ("PostUp = $DIR/up.sh %i", "PostUp runs $DIR/up.sh in a way that cannot be analyzed"),
        ("PostUp = ./up.sh %i", "PostUp runs ./up.sh in a way that cannot be analyzed"),
        ("PostUp = sh up.sh %i", "PostUp runs up.sh in a way that cannot be analyzed"),
        ("PostUp = cd $DIR && ./up.sh", "PostUp runs ./up.sh in a way that cannot be analyzed"),
        ("PostUp = (cd /etc/wireguard); ./up.sh", "PostUp runs ./up.sh in a way that cannot be analyzed"),
        ("PostUp = . $DIR/up.sh", "PostUp runs $DIR/up.sh in a way that cannot be analyzed"),
        ("PostUp = source <(cat /etc/wireguard/up.d/*)", "PostUp runs $(...) in a way that cannot be analyzed"),
        ("PostUp = bash <(cat /etc/wireguard/up.d/*)", "PostUp runs what bash reads in a way that"),
        ("PostUp = `cat /etc/wireguard/up.txt`", "PostUp runs $(...) in a way that cannot be analyzed"),
        ("PostUp = $(cat /etc/wireguard/up.txt) %i", "PostUp runs $(...) in a way that cannot be analyzed"),
        ('PostUp = eval "$(cat /etc/wireguard/up.txt)"', "PostUp runs $(...) in a way that cannot be analyzed"),
        ('PostUp = bash -c "$UP"', "PostUp runs $UP in a way that cannot be analyzed"),
        ("PostUp = cat /etc/wireguard/up.txt | sh", "PostUp runs what sh reads in a way that cannot be analyzed"),
        ("PostUp = curl -s https://h/up | sudo bash -s", "PostUp runs what bash reads in a way that cannot be"),
        ("PostUp = run-parts /etc/wireguard/up.d", "PostUp runs run-parts /etc/wireguard/up.d in a way that"),
        ("PostUp = for f in /etc/wireguard/up.d/*; do $f; done", "PostUp runs $f in a way that cannot be analyzed"),
        ("PostUp = for f in /etc/wireguard/up.d/*; do sh $f; done", "PostUp runs $f in a way that cannot be"),
        ("PostUp = find /etc/wireguard/up.d -exec {} \\;", "PostUp runs {} in a way that cannot be analyzed"),
        ("PostUp = ls /etc/wireguard/up.d | xargs -n 1 sh", "PostUp runs what sh reads in a way that cannot be"),
        ("PostUp = /opt/computed.sh", "runs /opt/computed.sh, whose line 4 runs $f in a way that cannot be analyzed"),
        ("PostUp = /opt/environment.sh", "runs /opt/environment.sh, whose line 3 runs $WG_DIR/up.sh in a way that"),
        ("PostUp = /opt/evaluated.sh", "runs /opt/evaluated.sh, whose line 2 runs $(...) in a way that cannot be"),
        ("PostUp = /opt/word.sh", "runs /opt/word.sh, whose line 4 runs $DIR/x.sh in a way that cannot be analyzed"),
        ("PostUp = /opt/function.sh", "whose line 2 runs $DIR/x.sh in a way that cannot be analyzed"),
        ("PostUp = /opt/again.sh", "runs /opt/again.sh, whose line 3 changes peers"),
        ("PostUp = /opt/words.sh", "runs /opt/words.sh, whose line 4 changes peers"),
        ("PostUp = /opt/goes-on.sh", "whose line 2 runs what sh reads in a way that cannot be analyzed"),
        ("PostUp = /opt/quotes.sh", "whose line 3 runs $DIR/x.sh in a way that cannot be analyzed"),
        ("PostUp = /opt/stdin.sh", "runs /opt/stdin.sh, whose line 2 runs what bash reads in a way that cannot be"),
        ("PostUp = up-all", "PostUp runs up-all, whose line 2 runs $DIR/all.sh in a way that cannot be analyzed"),
        ("PostUp = /opt/cut.sh %i", "PostUp runs /opt/cut.sh, whose line 2 changes peers"),
        ("PostUp = /opt/crlf.sh %i", "PostUp runs /opt/crlf.sh, whose line 2 changes peers"),
        ("PostUp = python3 /opt/up.py", "PostUp runs /opt/up.py, whose line 3 changes peers"),
        ("PostUp = /opt/perl.pl", "runs /opt/perl.pl, which is not a shell script"),
        ("PostUp = /opt/notify.py %i", "runs /opt/notify.py, which is not a shell script"),
        ("PostUp = python3 -u /opt/paths.py /opt", "runs /opt/paths.py, which is not a shell script"),
        ("PostUp = sudo python3.11 paths.py", "PostUp runs python3.11 paths.py in a way that cannot be analyzed"),
        ("PostUp = python3 /opt/missing.py", "runs /opt/missing.py, which is not a shell script"),
        ("PostUp = python3 -c 'import up; up.all()'", "PostUp runs python3 -c in a way that cannot be analyzed"),
        ("PostUp = perl -MSocket -e 'print 1'", "PostUp runs perl -MSocket in a way that cannot be analyzed"),
        ("PostUp = curl -s https://h/up | python3 -", "PostUp runs python3 - in a way that cannot be analyzed"),
        ("PostUp = node < /opt/up.js", "runs /opt/up.js, which is not a shell script"),
        ("PostUp = /opt/calls.sh", "runs /opt/calls.sh, whose line 3 runs /opt/paths.py, which is not a shell script"),
        ("PostUp = /opt/hash.sh", "runs /opt/hash.sh, whose line 2 changes peers"),
        ("PostUp = peerd %i", "PostUp runs peerd, which is not a shell script"),
        ("PostUp = /usr/local/bin/peerd %i &", "runs /usr/local/bin/peerd, which is not a shell script"),
        ("PostUp = chrt 5 taskset 1 /usr/local/bin/peerd", "runs /usr/local/bin/peerd, which is not a shell script"),
        ("PostUp = PATH=/opt/bin:$PATH; up-there %i", "PostUp runs up-there, whose line 4 changes peers"),
        ("PostUp = echo \"$(/etc/wireguard/up.sh)\"", "runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = echo $'it\\'s up'; /etc/wireguard/up.sh", "runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = cd /opt; ~/up.sh", "PostUp runs ~/up.sh in a way that cannot be analyzed"),
        ("PostUp = sh /run/up.sh", "PostUp runs /run/up.sh, which may be missing or different at the next"),
        ("PostUp = curl -o /tmp/up.sh https://h/up; sh /tmp/up.sh", "runs /tmp/up.sh, which may be missing"),
        ("PostUp = bash /dev/stdin <<< up", "PostUp runs /dev/stdin, which may be missing"),
        ("PostUp = awk 'BEGIN { system(\"/etc/wireguard/\" \"up.sh\") }'", "runs awk BEGIN { system("),
        ("PostUp = /nix/store/x-postup/bin/postup %i", "runs /nix/store/x-postup/bin/postup, whose line 4 changes"),
        ("PostUp = awk -f /opt/up.awk", "PostUp runs awk -f /opt/up.awk in a way that cannot be analyzed"),
        ("PostUp = sed '1e /etc/wireguard/up.sh' /etc/hosts", "runs /etc/wireguard/up.sh, whose line 4 changes"),
        ("PostUp = tool --then /etc/wireguard/up.sh", "runs /etc/wireguard/up.sh, whose line 4 changes peers"),
        ("PostUp = tool --then=/opt/paths.sh,/opt/notify.py", "runs /opt/notify.py, which is not a shell script"),
        ("PostUp = wg $ACTION %i", "PostUp runs wg $ACTION wg0 in a way that cannot be analyzed"),
        ("PostUp = wg set %i $PEERS", "PostUp runs wg set wg0 $PEERS in a way that cannot be analyzed"),
        ("PostUp = wg set %i fwmark 1 $PEERS", "PostUp runs wg set wg0 fwmark 1 $PEERS in a way that cannot be"),
        ("PostUp = X='addconf %i'; wg $X /etc/wireguard/peers.conf", "PostUp changes peers"),
        ("PostUp = A=add; wg ${A}conf %i /p", "PostUp runs wg addconf wg0 /p in a way that cannot be analyzed"),
        ("PostUp = nc -U /var/run/wireguard/%i.sock < /etc/wireguard/set", "PostUp changes peers"),
        ("PostUp = echo /etc/wireguard/up.sh | at now", "PostUp runs at now in a way that cannot be analyzed"),
        ("PostUp = make -C /etc/wireguard peers", "PostUp runs make -C /etc/wireguard peers in a way that cannot"),
        ("PostUp = docker compose up -d", "PostUp runs docker compose up -d in a way that cannot be analyzed"),
        ("PostUp = ansible-playbook /etc/wireguard/p.yml", "PostUp runs ansible-playbook /etc/wireguard/p.yml in"),
        ("PostUp = systemctl start peers", "/system/peers.service, whose line 4 changes peers"),
        ("PostUp = systemctl --no-block restart dnsmasq peers.service", "peers.service, whose line 4 changes peers"),
        ("PostUp = sudo systemctl enable --now peers", "/system/peers.service, whose line 4 changes peers"),
        ("PostUp = service peers start", "/system/peers.service, whose line 4 changes peers"),
        ("PostUp = service old start", "runs /etc/init.d/old, whose line 4 changes peers"),
        ("PostUp = /etc/init.d/old restart", "runs /etc/init.d/old, whose line 4 changes peers"),
        ("PostUp = systemctl start peers@%i", "/system/peers@.service, whose line 2 changes peers"),
        ("PostUp = systemctl start python", "python.service, whose line 3 runs /opt/paths.py, which is not a shell"),
        ("PostUp = systemctl start computed", "computed.service, whose line 2 runs /opt/$H/up.sh in a way that"),
        ("PostUp = systemctl start pulls", "/system/pulls.service, whose line 2 changes peers"),
        ("PostUp = systemctl start peers.timer", "/system/peers.timer, whose line 3 changes peers"),
        ("PostUp = systemctl reload-or-restart changed", "/changed.service.d/a.conf, whose line 2 changes peers"),
        ("PostUp = systemctl start $UNIT", "PostUp runs $UNIT.service in a way that cannot be analyzed"),
        ("PostUp = systemctl start 'peers*'", "PostUp runs peers*.service in a way that cannot be analyzed"),
        # What can be read counts, whatever is said about it.
        ("PostUp = /etc/wireguard/up.sh # vpnops.keys: sets no peers", "whose line 4 changes peers"),
        ("PostUp = /opt/both.py # vpnops.keys: sets no peers", "whose line 3 changes peers"),
        ("PostUp = wg setconf %i /p # vpnops.keys: sets no peers", "= wg setconf wg0 /p replaces"),
    ],
)
def test_what_cannot_be_followed_is_named_with_its_line(line: str, words: str) -> None:
    (found,) = effects(line).unanalyzed
    assert found.what.startswith("line 3, PostUp")
    assert words in found.what
    assert found.advice
    assert found.keys == ()
    assert found.about(())


def test_a_hook_that_sets_one_peer_is_about_that_one() -> None:
    lines = [f"PostUp = wg set %i peer {one.text} preshared-key /etc/wireguard/{n}.psk" for n, one in enumerate((A, B))]
    first, second = effects("Address = 10.0.0.1/24", *lines).unanalyzed
    assert first.what.startswith(f"line 4, PostUp = wg set wg0 peer {A.text} preshared-key /etc/wireguard/0.psk sets")
    assert (first.keys, second.keys) == ((A.text,), (B.text,))
    assert first.about({A.text, NEW.text})
    assert not first.about({B.text})
    (both,) = effects(f"PostUp = wg set %i private-key /k peer {A.text} remove peer {B.text} endpoint h:1").unanalyzed
    assert both.keys == (A.text, B.text)


def test_no_secret_of_a_hook_is_told() -> None:
    told = [
        found.what + found.advice
        for line in (
            f"PostUp = wg set %i peer {A.text} preshared-key <(echo {PSK})",
            f"PostUp = echo {PSK} | wg set %i peer {A.text} preshared-key /dev/stdin",
            f"PostUp = curl -u user:{PSK} https://h/peers | wg addconf %i /dev/stdin",
        )
        for found in effects(line).unanalyzed
    ]
    assert len(told) == 3
    assert not any(PSK in text for text in told)


@pytest.mark.parametrize(
    ("line", "saves"),
    [
        ("SaveConfig = true", "SaveConfig = true"),
        ("saveconfig=TRUE", "SaveConfig = true"),
        ("PreDown = wg-quick save %i", "in line 3, PreDown, to save what runs"),
        ("PreDown = wg showconf %i > /etc/wireguard/%i.conf", "in line 3, PreDown, to save what runs"),
        ("PostUp = wg-quick save %i", "in line 3, PostUp, to save what runs"),
        ("PostUp = wg showconf %i > /run/shown", ""),
        ("PreDown = wg showconf %i | tee /etc/wireguard/%i.conf", "in line 3, PreDown, to save what runs"),
        ("PostDown = cd /etc/wireguard && wg showconf %i >%i.conf", "in line 3, PostDown, to save what runs"),
        ("PreDown = /opt/save.sh", "in line 3, PreDown, to save what runs"),
        ("PostUp = /opt/save.sh", ""),
        ("PostUp = sh /opt/wg-save.sh", "in line 3, PostUp, to save what runs"),
        ("SaveConfig = false", ""),
        ("PreDown = iptables -D FORWARD -i %i -j ACCEPT", ""),
    ],
)
def test_whether_a_stop_saves_what_runs(line: str, saves: str) -> None:
    assert effects(line).saves == saves


UNIT = "/etc/systemd/system/wg-quick@wg0.service.d/peers.conf"


@pytest.mark.parametrize(
    ("line", "files", "words"),
    [
        ("ExecStartPost=/usr/bin/wg addconf %i /etc/wireguard/peers.conf", (PEERS,), ""),
        ("ExecStartPost=-wg addconf %I /etc/wireguard/peers.conf", (PEERS,), ""),
        ("ExecStartPost=/usr/bin/wg setconf %i /etc/wireguard/peers.conf", (), "= /usr/bin/wg setconf wg0"),
        ("ExecStartPost = /bin/sh -c 'wg addconf %i /etc/wireguard/peers.conf'", (), "ExecStartPost changes peers"),
        ("ExecStartPost=/etc/wireguard/up.sh %i", (), "runs /etc/wireguard/up.sh, whose line 4"),
        ("ExecStartPost=/etc/wireguard/fw.sh %i", (), ""),
        ("ExecStart=/usr/bin/wg addconf %i /etc/wireguard/peers.conf", (PEERS,), ""),
        ("ExecStart=/usr/bin/wg-quick up %i", (), ""),
        ("ExecStart=/opt/first.sh %i", (), "runs /opt/first.sh, whose line 3"),
        ("ExecStartPost=/bin/sh -c \\\n  'wg set %i peer KEY'", (), "ExecStartPost changes peers"),
        ("ExecReload=/bin/bash -c 'wg syncconf %i <(wg-quick strip %i)'", (), ""),
        ("ExecStop=/usr/bin/wg set %i peer KEY remove", (), ""),
        ("ExecStartPost=", (), ""),
        ("# ExecStartPost=/usr/bin/wg setconf %i /x", (), ""),
        ("ExecStartPre=/usr/bin/wg setconf %i /x", (), ""),
    ],
)
def test_what_the_unit_runs_after_wg_quick_counts_like_a_hook(line: str, files: tuple[str, ...], words: str) -> None:
    blocks = config.parse("[Interface]\n", "wg0.conf")
    found = hooks.effects(blocks, "wg0", FILES, {UNIT: f"[Service]\n{line}\n"})
    assert found.files == files
    assert len(found.unanalyzed) == bool(words)
    for one in found.unanalyzed:
        assert one.what.startswith("line 2, ExecStart")
        assert words in one.what
        assert _record(TYPICAL).sentence(one).startswith(f"{UNIT}, line 2, ")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["Wants=peers.service"], "line 2, Wants runs /etc/systemd/system/peers.service, whose line 4 changes peers"),
        (["Requires=dnsmasq.service", "BindsTo=x.device"], ""),
        (["After=peers.service", "Requires=peers.service"], ""),
        (["OnSuccess=python.service"], "line 2, OnSuccess runs /etc/systemd/system/python.service, whose line 3"),
        (["ExecStartPost=/opt/notify.py"], "line 2, ExecStartPost runs /opt/notify.py, which is not"),
        (["# vpnops.keys: sets no peers", "ExecStartPost=/opt/notify.py"], ""),
        (["# vpnops.keys: sets no peers", "ExecStartPost=/etc/wireguard/up.sh"], "line 3, ExecStartPost runs"),
    ],
)
def test_what_the_unit_pulls_in_counts_like_a_hook(lines: list[str], words: str) -> None:
    """But what it waits for came before the sections."""
    text = "\n".join(["[Unit]", *lines, ""])
    found = hooks.effects(config.parse("[Interface]\n", "wg0.conf"), "wg0", FILES, {UNIT: text})
    assert len(found.unanalyzed) == bool(words)
    for one in found.unanalyzed:
        assert one.what.startswith(words)
        assert ("write above it the line `# vpnops.keys" in one.advice) is ("which is not" in one.what)


def test_the_advice_says_how_to_vouch_for_a_hook() -> None:
    (found,) = effects("PostUp = /opt/notify.py").unanalyzed
    assert found.advice.endswith("if it sets no peers, end the line with `# vpnops.keys: sets no peers`")
    (found,) = effects("PostUp = /etc/wireguard/up.sh").unanalyzed
    assert "sets no peers" not in found.advice


def test_no_more_scripts_are_read_than_that() -> None:
    chain = {f"/opt/{n}.sh": f"#!/bin/sh\n/opt/{n + 1}.sh\n" for n in range(99)}
    (found,) = hooks.effects(
        config.parse("[Interface]\nPostUp = /opt/0.sh\n", "wg0.conf"), "wg0", hooks.Files(chain.get)
    ).unanalyzed
    assert found.what == (
        "line 2, PostUp runs /opt/0.sh, whose line 2 runs /opt/20.sh, and with it there are more than 20 scripts"
    )


def test_what_is_read_for_a_script(tmp_path: Path) -> None:
    """What is no text, or is only read in part, is never taken for a harmless script."""
    path = tmp_path / "up"
    assert boot.script(str(path)) is None
    for content, mode, read in (
        (b"#!/bin/sh\n", 0o600, "#!/bin/sh\n"),
        (b"\x7fELF\0", 0o700, hooks.PROGRAM),
        (b"SQLite\0", 0o600, hooks.DATA),
        (b"#!/bin/sh\n" + b"#" * (1 << 18), 0o700, hooks.PROGRAM),
    ):
        path.write_bytes(content)
        path.chmod(mode)
        assert boot.script(str(path)) == read


def test_what_the_unit_saves_is_named_with_its_file(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = {UNIT: "[Service]\nExecStop=/usr/bin/wg-quick save %i\n"}
    monkeypatch.setattr(boot, "unit_files", lambda name: unit if "wg0" in name else {})
    assert record(conf).saves == f"{UNIT} says in line 2, ExecStop, to save what runs"


@pytest.mark.parametrize(
    ("line", "unit", "key"),
    [
        ("PostUp = wg set %i private-key /etc/wireguard/key", "", ""),
        ("PostUp = /opt/key.sh %i", "", "/opt/key.sh, line 2"),
        ("PreDown = /opt/key.sh %i", "", ""),
        ("", "ExecStartPost=/usr/bin/wg set %i private-key /key", f"{UNIT}, line 2, ExecStartPost"),
        ("", "ExecStartPost=/usr/bin/wg set wg1 private-key /key", ""),
        ("", "ExecStart=/opt/key.sh %i", "/opt/key.sh, line 2"),
    ],
)
def test_an_own_key_that_is_set_where_it_is_not_looked_for_is_known(line: str, unit: str, key: str) -> None:
    """The next start would bring the old one back."""
    blocks = config.parse(f"[Interface]\n{line}\n", "wg0.conf")
    assert hooks.effects(blocks, "wg0", FILES, {UNIT: f"[Service]\n{unit}\n"}).key == key


def test_such_an_own_key_is_said_before_anything_begins(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = {UNIT: "[Service]\nExecStartPost=/usr/bin/wg set %i private-key /key\n"}
    monkeypatch.setattr(boot, "unit_files", lambda name: unit if "wg0" in name else {})
    monkeypatch.setattr(wireguard.WireGuard, "_runtime", lambda self: None)
    monkeypatch.setattr(wg_quick, "DIRECTORY", str(conf.parent))
    found = wireguard.WireGuard("wg0", str(conf.parent)).obstacles(writing=False)
    assert any(sentence.startswith(f"{UNIT}, line 2, ExecStartPost sets the own key of wg0") for sentence in found)


def test_the_files_of_the_unit_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "UNITS", (str(tmp_path),))
    named = ("wg-quick@wg0.service.d/a.conf", "wg-quick@.service.d/b.conf", "wg-quick@.service")
    for name in (*named, "wg-quick@wg1.service.d/c.conf", "wg-quick@wg0.service.d/d.conf.old"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("[Service]\n")
    (tmp_path / "wg-quick@wg0.service.wants").mkdir()
    linked = tmp_path / "wg-quick@wg0.service.wants/peers.service"
    linked.symlink_to("/dev/null")
    found = boot.unit_files("wg-quick@wg0.service")
    assert set(found) == {str(tmp_path / name) for name in named} | {str(linked)}
    assert found[str(linked)] == "Wants=peers.service"


# ---- who else sets up the interface

@pytest.mark.parametrize(
    ("up", "line"),
    [
        ("pre-up wg setconf wg0 /etc/wireguard/wg0.conf", 0),
        ("pre-up wg setconf $IFACE /etc/wireguard/$IFACE.conf", 0),
        ("up ip route add 10.0.0.0/8 dev wg0", 0),
        ("post-up wg setconf wg1 /etc/wireguard/peers", 0),
        ("post-up wg addconf wg0 /etc/wireguard/peers", 4),
        ("    up ip link set wg0 up; sh -c 'wg set wg0 peer X remove'", 4),
        ("post-down wg set wg0 peer X remove", 0),
    ],
)
def test_what_ifupdown_gives_the_interface(up: str, line: int) -> None:
    """It may load the very file of wg-quick."""
    other = "iface wg1 inet manual\n  up wg setconf wg0 /x\n"
    text = f"auto wg0\niface wg0 inet static\n  address 10.0.0.1\n  {up}\n{other}"
    assert others.in_interfaces(text, "wg0", "/etc/wireguard/wg0.conf") == line


def test_a_gateway_that_ifupdown_sets_up_is_named_with_the_file(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A withdrawal is carried out and not acknowledged."""
    interfaces = conf.parent / "interfaces"
    interfaces.write_text("iface wg0 inet manual\n  up wg addconf wg0 /x\n")
    conf.write_text(TYPICAL)
    monkeypatch.setattr(others, "INTERFACES", (str(interfaces), "/no/*"))
    (sentence,) = record(conf).sentences()
    assert sentence.startswith(f"{interfaces}, line 2 changes the peers of wg0, so what is stored here would be lost")
    (change,), runtime = store(conf, RUNNING, wanted(None, known=(A,)))
    assert f"{interfaces}, line 2" in change.refused
    assert runtime
    assert A.text not in runtime.peers


# ---- the record: all files together


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A wg0.conf that loads the peer C from another file."""
    peers = tmp_path / "peers.conf"
    peers.write_text(f"# the branch offices\n[Peer]\nPublicKey = {C.text}\nAllowedIPs = 10.0.9.0/24\n")
    path = tmp_path / "wg0.conf"
    path.write_text(TYPICAL.replace("# a\n", f"PostUp = wg addconf %i {peers}\n# a\n"))
    return path


def record(conf: Path) -> wg_record.Record:
    return wg_quick.read(str(conf), "wg0")


WITH_C = running(*RUNNING.peers.values(), running_peer(C, ("10.0.9.0/24",)))


def store(conf: Path, runtime: Runtime | None, *peers: WantedPeer) -> tuple[list[PeerChange], Runtime | None]:
    """What storing does and acknowledges."""
    found = record(conf)
    made = wg_store.plan(found.blocks, runtime, peers, {}, wg_store.unsaved(found, peers))
    found.write(made.blocks, found.texts)
    changes = wg_store.lasting(made, found, peers, runtime is not None)
    return changes, carried_out(runtime, made) if runtime else None


def test_a_peer_of_another_file_is_staged_replaced_and_withdrawn_there(conf: Path) -> None:
    before, other = conf.read_text(), conf.parent / "peers.conf"
    peers = other.read_text()
    (change,), runtime = store(conf, WITH_C, wanted(C, NEW, known=(C,)))
    assert (change.refused, change.neighbor) == ("", True)
    assert other.read_text().count("[Peer]") == 2
    assert NEW.text in other.read_text()
    (change,), runtime = store(conf, runtime, wanted(NEW, known=(C,)))
    assert change.refused == ""
    assert other.read_text() == peers.replace(C.text, NEW.text)
    (change,), runtime = store(conf, runtime, wanted(None, known=(C, NEW)))
    assert change.refused == ""
    assert all(line.startswith("#") for line in other.read_text().splitlines())
    assert runtime
    assert set(runtime.peers) == {A.text, B.text}
    (change,), runtime = store(conf, runtime, wanted(C, known=(C, NEW)))
    assert other.read_text() == peers
    assert conf.read_text() == before


def test_a_new_peer_is_written_into_the_file_of_wg_quick(conf: Path) -> None:
    peers = (conf.parent / "peers.conf").read_text()
    store(conf, WITH_C, wanted(NEW, known=(), endpoint="192.0.2.9:1", networks=("10.0.10.0/24",)))
    assert NEW.text in conf.read_text()
    assert (conf.parent / "peers.conf").read_text() == peers


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "it does not exist"),
        ("[Peer]\nAllowedIPs = 10.0.9.0/24\n", "line 1 begins a peer that has not exactly one usable PublicKey"),
        (f"[Interface]\nPrivateKey = {raw_key('other')}\n", "it has entries of an [Interface]"),
        ("nonsense", "line 1 is neither a section nor an entry of one"),
    ],
)
def test_a_file_of_peers_that_cannot_be_read_stops_nothing_but_acknowledgements(
    conf: Path, content: str | None, words: str
) -> None:
    other = conf.parent / "peers.conf"
    if content is None:
        other.unlink()
    else:
        other.write_text(content)
    (sentence,) = record(conf).sentences()
    assert words in sentence
    assert str(other) in sentence
    (change,), runtime = store(conf, RUNNING, wanted(None, known=(A,)))
    assert str(other) in change.refused
    assert runtime
    assert A.text not in runtime.peers


# ---- what is acknowledged


HOOK = f"PostUp = wg set %i peer {A.text} preshared-key /etc/wireguard/a.psk"


def with_line(conf: Path, line: str) -> None:
    conf.write_text(TYPICAL.replace("Address=", f"{line}\nAddress="))


def test_a_withdrawal_that_a_hook_undoes_is_carried_out_and_not_acknowledged(conf: Path) -> None:
    with_line(conf, "PostUp = wg setconf %i /etc/wireguard/all.conf")
    (change,), runtime = store(conf, RUNNING, wanted(None, known=(A,)))
    assert runtime
    assert A.text not in runtime.peers
    assert change.changed
    assert change.refused == (
        f"Peer gw1: {conf}, line 4, PostUp = wg setconf wg0 /etc/wireguard/all.conf replaces the peers of the [Peer] "
        "sections, so its key may be accepted again after the next start. The running interface does not accept it any "
        "more; move the peers that it loads into [Peer] sections and remove that line, or load them by "
        "`wg addconf %i FILE`."
    )


def test_a_hook_about_one_peer_stops_the_acknowledgement_of_that_one_alone(conf: Path) -> None:
    with_line(conf, HOOK)
    other = WantedPeer("gw2", "", NEW, None, (B,))
    (first, second), _runtime = store(conf, RUNNING, wanted(A, known=(A,)), other)
    assert "line 4, PostUp = wg set wg0 peer" in first.refused
    assert second.refused == ""
    assert record(conf).sentences() == []


def test_a_peer_that_only_runs_is_not_acknowledged(conf: Path) -> None:
    """It is gone after the next start."""
    conf.write_text(TYPICAL)
    runtime = running(*RUNNING.peers.values(), running_peer(C, ("10.0.9.0/24",)))
    (change,), after = store(conf, runtime, wanted(NEW, known=(C,)))
    assert after
    assert NEW.text in after.peers
    assert f"{conf} has no [Peer] section for it" in change.refused
    (gone,), after = store(conf, after, wanted(None, known=(C, NEW)))
    assert gone.refused == ""


def test_where_what_runs_is_saved_all_but_a_staged_key_is_stored(conf: Path) -> None:
    with_line(conf, "SaveConfig = true")
    before = conf.read_text()
    (staged,), runtime = store(conf, RUNNING, wanted(A, NEW, known=(A,)))
    assert "SaveConfig = true" in staged.refused
    assert (conf.read_text(), runtime) == (before, RUNNING)
    (changed,), runtime = store(conf, RUNNING, wanted(NEW, known=(A,)))
    assert changed.refused == ""
    (gone,), runtime = store(conf, runtime, wanted(None, known=(A, NEW)))
    assert gone.refused == ""
    assert runtime
    assert set(runtime.peers) == {B.text}


# ---- the file beside what runs


def test_no_difference() -> None:
    assert wg_record.differences(_record(TYPICAL), RUNNING) == []
    assert wg_record.differences(_record(TYPICAL), None) == []


def test_differences_are_told_without_a_secret(conf: Path) -> None:
    runtime = running(running_peer(A, (), "", 25), running_peer(B, ("10.0.0.3/32", "10.3.0.0/16")))
    psk, networks = wg_record.differences(_record(TYPICAL), runtime)
    assert f"The peer {A.text} runs with another preshared key than" in psk
    assert f"The peer {A.text} runs with other networks than" in networks
    assert PSK not in psk + networks
    with_line(conf, HOOK)
    (line,) = wg_record.differences(record(conf), RUNNING)
    assert line.startswith(f"{conf}, line 4, PostUp = wg set wg0 peer {A.text}")


def test_a_staged_key_is_no_difference_whoever_has_the_networks() -> None:
    made = wg_store.plan(config.parse(TYPICAL, ""), RUNNING, [wanted(A, NEW)], {})
    runtime = running(
        running_peer(A, (), PSK, 25), running_peer(NEW, ("10.0.0.2/32",), PSK, 25), *list(RUNNING.peers.values())[1:]
    )
    assert wg_record.differences(_record(sections.render(made.blocks)), runtime) == []


def test_only_so_many_differences_are_told() -> None:
    text = TYPICAL + "".join(f"[Peer]\nPublicKey = {raw_key(str(n))}\nAllowedIPs = 10.9.{n}.0/24\n" for n in range(99))
    peers = {raw_key(str(n)): running_peer(A, ("10.8.0.0/16",)) for n in range(99)}
    found = wg_record.differences(_record(text), Runtime(None, peers))
    assert len(found) == wg_record.MOST + 1
    assert found[-1] == "And 87 more."


def test_only_so_many_hooks_are_told(conf: Path) -> None:
    """The control node reads no more obstacles than that."""
    with_line(conf, "\n".join(f"PostUp = bash -c 'wg addconf %i /etc/wireguard/{n}.conf'" for n in range(99)))
    for found in (record(conf).sentences(), wg_record.differences(record(conf), RUNNING)):
        assert len(found) == wg_record.MOST + 1 < device_answer.MOST_OBSTACLES
        assert found[-1] == "And 87 more."


def _record(text: str) -> wg_record.Record:
    path = "/etc/wireguard/wg0.conf"
    return wg_record.Record(wg_quick.BACKEND, "wg0", path, {"": text}, config.parse(text, "wg0.conf"))


def test_a_setting_names_no_secret() -> None:
    assert PSK not in repr(Setting(A.text, psk=PSK))
    assert PSK not in repr(_record(TYPICAL))
