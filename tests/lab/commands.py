# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commands exist, per mode and personality, and which action each runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from . import configure, execute, getvpn, keycommands, showing
from .grammar import Node, key, line, num, word
from .personality import Personality

if TYPE_CHECKING:
    from .shell import Action

__all__ = ["ACTIONS", "Node", "prompt_of", "tree"]

ACTIONS: dict[str, Action] = {
    **execute.ACTIONS,
    **showing.ACTIONS,
    **getvpn.ACTIONS,
    **keycommands.ACTIONS,
    **configure.ACTIONS,
}

PRIVILEGED = 15

# mode: (prompt on IOS 15, prompt on IOS XE)
PROMPTS = {
    "config": ("config", "config"),
    "group": ("config-gdoi-group", "config-gkm-group"),
    "server": ("gdoi-local-server", "gkm-local-server"),
    "sa": ("gdoi-sa-ipsec", "gkm-sa-ipsec"),
    "coop": ("gdoi-coop-ks-config", "gkm-coop-ks-config"),
    "interface": ("config-if", "config-if"),
    "acl": ("config-ext-nacl", "config-ext-nacl"),
    "profile": ("ipsec-profile", "ipsec-profile"),
    "transform": ("cfg-crypto-trans", "cfg-crypto-trans"),
    "line": ("config-line", "config-line"),
}


def prompt_of(mode: str, p: Personality) -> str:
    """What stands between the parentheses of the prompt."""
    return PROMPTS[mode][p.xe_getvpn]


@lru_cache(maxsize=512)
def tree(mode: str, p: Personality) -> Node:
    """The grammar of a mode."""
    root = _TREES[mode](p)
    return replace(root, next=_known(mode, root.next)) if mode in _KNOWN else root


# Words that real devices know here and the lab does not serve: they count for abbreviations, `?` and the caret.
_KNOWN = {
    "exec": (
        "access-enable access-template archive connect debug delete disconnect erase help lock login more mrinfo "
        "mstat mtrace name-connection no ping rename resume rsh send setup slip ssh start-chat systat tclsh "
        "telnet test traceroute tunnel undebug verify where x28 x3"
    ),
    "config": (
        "aaa alias archive arp boot bridge buffers cdp class-map config-register control-plane default default- "
        "value define dialer dialer-list event file flow frame-relay help ipv6 kron l2tp-class lldp login mac "
        "map-class map-list memory-size mpls multilink netconf parser policy-map priority-list privilege process "
        "prompt queue-list radius-server redundancy regexp resume-string rmon route-map route-tag router "
        "scheduler security service snmp-server stackmaker standby tacacs-server template tftp-server time-range "
        "track tunnel virtual-template vrf x25 xconnect"
    ),
    "show": (
        "aaa access-lists alias archive arp boot buffers cdp class-map configuration controllers cef debugging "
        "dhcp diag environment file flash: flow frame-relay hosts interfaces ipv6 key line location mac memory "
        "monitor mpls ntp parser platform policy-map processes protocols queue redundancy rmon route-map sessions "
        "snmp spanning-tree ssh stacks standby sysmon tacacs tcp tech-support template track vlans vrf"
    ),
    "show crypto": (
        "ace call dynamic-map eli engine identity ikev2 ipsec isakmp map mib pki route ruleset session sockets "
        "tech-support"
    ),
    "crypto": "call ctcp dynamic-map engine identity ikev2 isakmp keyring logging map mib pki vpn xauth",
    "crypto key": "decrypt encrypt lock pubkey-chain storage unlock",
    "exec crypto key": "lock unlock",
    "exec crypto": "call ctcp ikev2 isakmp pki",
    "show ip": (
        "access-lists arp bgp cache cef dhcp dns eigrp host-list http igmp local mroute nat nhrp ospf pim policy "
        "protocols rip route sla sockets static tcp traffic vrf"
    ),
}


def _known(place: str, served: tuple[Node, ...]) -> tuple[Node, ...]:
    """What is served at a place, and the other words known there."""
    words = {node.word for node in served}
    return served + tuple(key(word_) for word_ in _KNOWN[place].split() if word_ not in words)


# -- crypto key


def _crypto_key(p: Personality, mode: str) -> Node:
    here = (mode, "both")
    verbs: list[Node] = []
    if p.export_mode in here:
        verbs.append(key("export", "Export keys", key("rsa", "Export RSA keys", _export(p))))
    if p.generate_mode in here:
        hidden = p.generate_hidden and mode == "config"
        verbs.append(key("generate", "Generate new keys", _generate(p), hidden=hidden))
    if p.import_mode in here:
        verbs.append(key("import", "Import keys", key("rsa", "Import RSA keys", _import(p))))
    if p.zeroize_mode in here:
        rsa = key("rsa", "Remove RSA keys", word("label", "RSA key label", run="zeroize"), run="zeroize")
        plain = "zeroize" if p.zeroize_all_says == "all" else ""
        verbs.append(key("zeroize", "Remove keys", rsa, run=plain))
    if mode == "config":
        moved = key("non-exportable", "Make the key non-exportable", run="move")
        verbs.append(key("move", "Move keys", key("rsa", "Move RSA keys", word("label", "RSA key label", moved))))
    known = "crypto key" if mode == "config" else "exec crypto key"
    return key("key", "Long term key operations", *_known(known, tuple(verbs)))


def _generate(p: Personality) -> Node:
    return key(
        "rsa",
        "Generate RSA keys",
        options=(
            key(
                "encryption",
                "Generate a general purpose RSA key pair for signing and encryption",
                name="usage",
                group="usage",
            ),
            key("exportable", "Allow the key to be exported", name="exportable"),
            key(
                "general-keys",
                "Generate a general purpose RSA key pair for signing and encryption",
                name="usage",
                group="usage",
            ),
            key("label", "Provide a label", word("label", "RSA keypair label")),
            key(
                "modulus",
                "Provide number of modulus bits on the command line",
                num(
                    "modulus",
                    p.modulus_low,
                    p.modulus_high,
                    f"size of the key modulus [{p.modulus_low}-{p.modulus_high}]",
                ),
            ),
            key("redundancy", "Allow the key to be synced to high-availability peer", name="redundancy"),
            key(
                "signature",
                "Generate a general purpose RSA key pair for signing and encryption",
                name="usage",
                group="usage",
            ),
            key("storage", "Store key on specified device", word("storage", "device name")),
            key(
                "usage-keys", "Generate separate RSA key pairs for signing and encryption", name="usage", group="usage"
            ),
        ),
        run="generate",
    )


def _passphrase(p: Personality, run: str) -> Node:
    what = "Passphrase used to protect the private key"
    return (
        line("passphrase", what, run=run) if p.passphrase == "line" else word("passphrase", what, show="LINE", run=run)
    )


def _export(p: Personality) -> Node:
    secret = _passphrase(p, "export")
    ciphers = [
        key("3des", "Encrypt the private key with 3DES", secret, name="cipher", group="cipher"),
        key("des", "Encrypt the private key with DES", secret, name="cipher", group="cipher"),
    ]
    if p.export_aes:
        ciphers.append(key("aes", "Encrypt the private key with AES", secret, name="cipher", group="cipher"))
    return word(
        "label",
        "RSA key label",
        key(
            "pem",
            "File type to export is in PEM format",
            key("terminal", "Export via the terminal (PEM format)", *ciphers),
            key("url", "Export via the file system (PEM format)", word("url", "URL", *ciphers)),
        ),
    )


def _import(p: Personality) -> Node:
    plain = "import" if p.import_plain == "accept" else ""
    secret = _passphrase(p, "import")
    late = (
        (key("exportable", "Allow the key to be exported", secret, name="exportable"),)
        if p.import_order == "documented"
        else ()
    )
    targets = (
        key("terminal", "Import via the terminal (PEM format)", *late, secret, run=plain),
        key(
            "url",
            "Import via the file system (PEM format)",
            word("url", "URL", *late, secret, run=plain),
            name="from_url",
        ),
    )
    usage = (
        key("encryption", "Import an encryption key", name="usage", group="usage"),
        key("general-purpose", "Import a general purpose key", name="usage", group="usage"),
        key("signature", "Import a signature key", name="usage", group="usage"),
        key("usage-keys", "Import both a signature and an encryption key", name="usage", group="usage"),
    )
    exportable = key("exportable", "Allow the key to be exported", name="exportable")
    others = (
        key("on", "Store on a cryptographic device", word("on", "device name")),
        key("redundancy", "Allow the key to be synced to high-availability peer", name="redundancy"),
        key("storage", "Store key on specified device", word("storage", "device name")),
    )
    pem_help = "PEM formatted key"
    loose = targets if p.import_pem_keyword == "optional" else ()
    if p.import_order == "any":
        free = (exportable, *usage, *others)
        if p.import_pem_keyword == "optional":
            return word("label", "RSA key label", *targets, options=(*free, key("pem", pem_help, name="pem")))
        return word("label", "RSA key label", key("pem", pem_help, *targets, options=free), options=free)
    if p.import_order == "documented":
        pem = key("pem", pem_help, *targets, options=usage)
        return word("label", "RSA key label", pem, *loose)
    pem = key("pem", pem_help, *targets)
    return word("label", "RSA key label", pem, *loose, options=(exportable, *usage, *others))


# -- exec


def _show(p: Personality) -> Node:
    rsa_keys = key("rsa", "Show RSA public keys", word("label", "RSA keypair label", run="show_keys"), run="show_keys")
    mypubkey = key(
        "mypubkey",
        "Show public keys associated with this router",
        key("all", "Show all public keys", run="show_keys"),
        rsa_keys,
    )
    crypto = [key("gdoi", "Show GDOI info", *_show_gdoi(), run="show_gdoi")]
    if p.xe_getvpn:
        crypto.append(key("gkm", "Show GKM info", *_show_gdoi(), run="show_gdoi"))
    crypto.append(key("key", "Show long term public keys", mypubkey))
    brief = key("brief", "Brief summary", run="show_interfaces")
    interface = key("interface", "IP interface status and configuration", brief)
    served = (
        key("clock", "Display the system clock", run="show_clock"),
        key("crypto", "Encryption module", *_known("show crypto", tuple(crypto)), level=PRIVILEGED),
        key("history", "Display the session command history", run="show_history"),
        key("inventory", "Show the physical inventory", run="show_inventory"),
        key(
            "ip",
            "IP information",
            *_known("show ip", (interface, key("ssh", "Information on SSH", run="show_ssh"))),
        ),
        key("logging", "Show the contents of logging buffers", run="show_logging", level=PRIVILEGED),
        key("privilege", "Show current privilege level", run="show_privilege"),
        key(
            "running-config",
            "Current operating configuration",
            key("all", "Configuration with defaults", run="show_running"),
            run="show_running",
            level=PRIVILEGED,
        ),
        key("startup-config", "Contents of startup configuration", run="show_startup", level=PRIVILEGED),
        key("terminal", "Display terminal configuration parameters", run="show_terminal"),
        key("users", "Display information about terminal lines", run="show_users"),
        key("version", "System hardware and software status", run="show_version"),
    )
    return key("show", "Show running system information", *_known("show", served))


def _show_gdoi() -> tuple[Node, ...]:
    member = word("member", "Group member address", run="show_members", show="A.B.C.D")
    servers = (
        key(
            "coop",
            "Cooperative key server information",
            key("detail", "Detailed information", run="show_coop"),
            key("version", "Versions", run="show_coop_version"),
            run="show_coop",
        ),
        key("detail", "Detailed key server information", run="show_ks_detail"),
        key(
            "members",
            "Registered group members",
            member,
            key("summary", "Summary of the members", run="show_members_summary"),
            run="show_members",
        ),
        key("policy", "Key server policy", run="show_policy"),
        key("identifier", "Sender identifiers", run="show_identifier"),
        key("rekey", "Rekeys sent", run="show_ks_rekey"),
    )
    return (
        key("feature", "Features and versions", run="show_feature"),
        key(
            "group",
            "Information of one group",
            word("group", "Group name", key("ks", "Key server information", *servers, run="show_ks"), run="show_gdoi"),
        ),
        key("ks", "Key server information", *servers, run="show_ks"),
    )


def _terminal(*, no: bool = False) -> tuple[Node, ...]:
    if no:
        return (
            key("length", "Set number of lines on a screen", run="no_length"),
            key("monitor", "Copy debug output to the current terminal line", run="no_monitor"),
            key("width", "Set width of the display terminal", run="no_width"),
        )
    return (
        key(
            "length",
            "Set number of lines on a screen",
            num("length", 0, 512, "Number of lines on screen (0 for no pausing)", run="length"),
        ),
        key("monitor", "Copy debug output to the current terminal line", run="monitor"),
        key("no", "Negate a command or set its defaults", *_terminal(no=True)),
        key(
            "width",
            "Set width of the display terminal",
            num("width", 0, 512, "Number of characters on a screen line", run="width"),
        ),
    )


def _exec(p: Personality) -> Node:
    high = PRIVILEGED
    gdoi_clear = key(
        "gdoi", "Clear GDOI", key("group", "One group", word("group", "Group name", run="clear_gdoi")), run="clear_gdoi"
    )
    clears = [gdoi_clear]
    if p.xe_getvpn:
        clears.append(key("gkm", "Clear GKM", *gdoi_clear.next, run="clear_gdoi"))
    replace_now = key("replace-now", "Replace the old policy at once", name="replace_now", run="rekey")
    rekey = key(
        "ks",
        "Key server",
        key(
            "rekey",
            "Send a rekey",
            key("group", "One group", word("group", "Group name", replace_now, run="rekey")),
            replace_now,
            run="rekey",
        ),
    )
    family = [key("gdoi", "GDOI", rekey)] + ([key("gkm", "GKM", rekey)] if p.xe_getvpn else [])
    crypto = _known("exec crypto", (*family, _crypto_key(p, "exec")))
    return Node(
        "",
        next=(
            key("clear", "Reset functions", key("crypto", "Encryption subsystem", *clears), level=high),
            key(
                "clock",
                "Manage the system clock",
                key(
                    "set",
                    "Set the time and date",
                    word(
                        "time",
                        "Current Time",
                        num(
                            "day",
                            1,
                            31,
                            "Day of the month",
                            word("month", "Month of the year", num("year", 1993, 2035, "Year", run="clock_set")),
                        ),
                        show="hh:mm:ss",
                    ),
                ),
                level=high,
            ),
            key(
                "configure",
                "Enter configuration mode",
                key("terminal", "Configure from the terminal", run="configure"),
                run="configure_ask",
                level=high,
            ),
            key(
                "copy",
                "Copy from one file to another",
                key(
                    "running-config",
                    "Copy from current system configuration",
                    key("startup-config", "Copy to startup configuration", run="copy_running"),
                ),
                level=high,
            ),
            key("crypto", "Encryption related commands.", *crypto, level=high),
            key("dir", "List files on a filesystem", word("fs", "Directory or file name", run="dir"), level=high),
            key(
                "disable",
                "Turn off privileged commands",
                num("level", 0, 14, "Privilege level to go to", run="disable"),
                run="disable",
            ),
            key(
                "enable", "Turn on privileged commands", num("level", 0, 15, "Enable level", run="enable"), run="enable"
            ),
            key("exit", "Exit from the EXEC", run="logout"),
            key("logout", "Exit from the EXEC", run="logout"),
            key("quit", "Exit from the EXEC", run="logout"),
            key("reload", "Halt and perform a cold restart", run="reload", level=high),
            _show(p),
            key("terminal", "Set terminal line parameters", *_terminal()),
            key(
                "write",
                "Write running configuration to memory, network, or terminal",
                key("memory", "Write to NV memory", run="write"),
                key("terminal", "Write to terminal", run="show_running"),
                run="write",
                level=high,
            ),
        ),
    )


# -- configuration

_LEAVE = (key("end", "Exit from configure mode", run="end"), key("exit", "Exit from the present mode", run="exit"))
_DO = key("do", "To run exec commands in config mode", line("command", "Exec Command", run="do"))
_ADDRESS = "A.B.C.D"


def _config(p: Personality) -> Node:
    groups = [
        key(
            "gdoi",
            "Configure GDOI policy",
            key("group", "Configure a GDOI group", word("group", "Group name", run="group_gdoi")),
        )
    ]
    no_groups = [key("gdoi", "GDOI policy", key("group", "A group", word("group", "Group name", run="no_group")))]
    if p.xe_getvpn:
        groups.append(
            key(
                "gkm",
                "Configure GKM policy",
                key("group", "Configure a GKM group", word("group", "Group name", run="group_gkm")),
            )
        )
        no_groups.append(key("gkm", "GKM policy", key("group", "A group", word("group", "Group name", run="no_group"))))
    ipsec = key(
        "ipsec",
        "Configure IPSEC policy",
        key("profile", "Configure an ipsec policy profile", word("rest", "Profile name", run="stanza_profile")),
        key(
            "transform-set",
            "Define transform and settings",
            word("name", "Transform set tag", line("rest", "Transforms", run="stanza_transform")),
        ),
    )
    stop = (key("quit", "", run="exit", hidden=True),) if p.config_quit == "exit" else ()
    return Node(
        "",
        next=(
            *_LEAVE,
            *stop,
            _DO,
            key("access-list", "Add an access list entry", line("rest", "Entry", run="raw_access_list")),
            key(
                "banner",
                "Define a login banner",
                key(
                    "motd",
                    "Set Message of the Day banner",
                    line("rest", "c banner-text c, where 'c' is a delimiting character", run="banner"),
                ),
            ),
            key("crypto", "Encryption module", *_known("crypto", (*groups, ipsec, _crypto_key(p, "config")))),
            key(
                "enable",
                "Modify enable password parameters",
                key(
                    "secret",
                    "Assign the privileged level secret",
                    word("secret", "The UNENCRYPTED (cleartext) 'enable' secret", run="enable_secret"),
                ),
            ),
            key("hostname", "Set system's network name", word("name", "This system's network name", run="hostname")),
            key("interface", "Select an interface to configure", line("rest", "Interface", run="stanza_interface")),
            key(
                "ip",
                "Global IP configuration subcommands",
                key(
                    "access-list",
                    "Named access-list",
                    key("extended", "Extended Access List", word("rest", "Access-list name", run="stanza_acl")),
                ),
                key(
                    "domain",
                    "IP DNS Resolver",
                    key("lookup", "Enable DNS", run="raw_domain_lookup"),
                    key("name", "Default domain", word("name", "Default domain name", run="domain")),
                ),
                key("domain-lookup", "Enable DNS", run="raw_domain_lookup"),
                key("domain-name", "Define the default domain name", word("name", "Default domain name", run="domain")),
                key("route", "Establish static routes", line("rest", "Route", run="raw_route")),
                key("ssh", "Configure ssh options", line("rest", "Option", run="raw_ssh")),
            ),
            key("line", "Configure a terminal line", line("rest", "Line", run="stanza_line")),
            key("logging", "Modify message logging facilities", line("rest", "Option", run="raw_logging")),
            key(
                "no",
                "Negate a command or set its defaults",
                key("crypto", "Encryption module", *no_groups),
                key(
                    "ip",
                    "IP",
                    key(
                        "domain",
                        "DNS",
                        key("lookup", "DNS", run="raw_no_lookup"),
                        key("name", "Default domain", run="no_domain"),
                    ),
                    key("domain-lookup", "DNS", run="raw_no_lookup"),
                    key("domain-name", "Default domain", run="no_domain"),
                ),
                key("logging", "Logging", line("rest", "Option", run="raw_no_logging")),
            ),
            key("ntp", "Configure NTP", line("rest", "Option", run="raw_ntp")),
            key(
                "username",
                "Establish User Name Authentication",
                word("name", "User name", line("rest", "Option", run="username")),
            ),
        ),
    )


def _group(p: Personality) -> Node:
    identity = key(
        "identity",
        "Group identity",
        key("address", "Address", key("ipv4", "IPv4", word("identity", "Address", run="identity", show=_ADDRESS))),
        key("number", "Number", num("identity", 0, 2147483647, "Group number", run="identity")),
    )
    server = key(
        "server",
        "Key server",
        key("address", "Address", key("ipv4", "IPv4", word("address", "Address", run="server_address", show=_ADDRESS))),
        key("local", "This router is the key server", run="server_local"),
    )
    return Node(
        "",
        next=(
            *_LEAVE,
            identity,
            key("no", "Negate", key("server", "Key server", key("local", "Local", run="no_server_local"))),
            server,
        ),
    )


def _server(p: Personality) -> Node:
    low = 300
    rekey = key(
        "rekey",
        "Rekey parameters",
        key("algorithm", "KEK encryption", line("rest", "Algorithm", run="rekey_algorithm")),
        key(
            "authentication",
            "Rekey authentication",
            key("mypubkey", "Own public key", key("rsa", "RSA", word("label", "RSA key label", run="rekey_key"))),
        ),
        key(
            "lifetime",
            "KEK lifetime",
            key("days", "In days", num("days", 1, 30, "Days", run="rekey_days")),
            key("seconds", "In seconds", num("seconds", low, 2592000, "Seconds", run="rekey_seconds")),
        ),
        key(
            "retransmit",
            "Retransmission",
            num("seconds", 10, 60, "Seconds", line("rest", "Options", run="rekey_retransmit"), run="rekey_retransmit"),
        ),
        key("transport", "Transport", key("unicast", "Unicast", run="rekey_unicast")),
    )
    address = key(
        "address", "Source address", key("ipv4", "IPv4", word("address", "Address", run="server_ipv4", show=_ADDRESS))
    )
    sa = key(
        "sa",
        "Security association",
        key("ipsec", "IPsec SA", num("number", 1, 65535, "Sequence number", run="server_sa")),
    )
    no = key(
        "no",
        "Negate",
        key("redundancy", "COOP", run="no_redundancy"),
        key(
            "rekey",
            "Rekey",
            key(
                "authentication",
                "Authentication",
                key(
                    "mypubkey",
                    "Own key",
                    key("rsa", "RSA", word("label", "Label", run="no_rekey_key"), run="no_rekey_key"),
                ),
            ),
            key("transport", "Transport", key("unicast", "Unicast", run="no_rekey_unicast")),
        ),
    )
    return Node(
        "", next=(*_LEAVE, address, no, key("redundancy", "Cooperative key servers", run="redundancy"), rekey, sa)
    )


def _sa(p: Personality) -> Node:
    return Node(
        "",
        next=(
            *_LEAVE,
            key(
                "match",
                "Match",
                key("address", "Address", key("ipv4", "IPv4", word("acl", "Access list", run="sa_acl"))),
            ),
            key("no", "Negate", key("replay", "Replay", run="no_sa_replay")),
            key("profile", "IPsec profile", word("profile", "Profile name", run="sa_profile")),
            key("replay", "Replay detection", line("rest", "Method", run="sa_replay")),
        ),
    )


def _coop(p: Personality) -> Node:
    peer = key(
        "peer",
        "Peer key server",
        key("address", "Address", key("ipv4", "IPv4", word("address", "Address", run="coop_peer", show=_ADDRESS))),
    )
    no_peer = key(
        "peer",
        "Peer key server",
        key("address", "Address", key("ipv4", "IPv4", word("address", "Address", run="no_coop_peer", show=_ADDRESS))),
    )
    local = key(
        "local",
        "This key server",
        key("priority", "Priority", num("priority", 1, 255, "Priority", run="coop_priority")),
    )
    return Node("", next=(*_LEAVE, local, key("no", "Negate", no_peer), peer))


def _free(*words: str) -> Node:
    return Node(
        "", next=(*_LEAVE, *(key(w, "", line("rest", "Rest", run=f"keep_{w}"), run=f"keep_{w}") for w in words))
    )


_TREES: dict[str, Callable[[Personality], Node]] = {
    "exec": _exec,
    "config": _config,
    "group": _group,
    "server": _server,
    "sa": _sa,
    "coop": _coop,
    "interface": lambda p: _free("description", "ip", "no", "shutdown", "speed", "duplex", "mtu"),
    "acl": lambda p: _free("permit", "deny", "remark", "no"),
    "profile": lambda p: _free("set", "no"),
    "transform": lambda p: _free("mode", "no"),
    "line": lambda p: _free("login", "transport", "exec-timeout", "logging", "length", "width", "privilege", "no"),
}
