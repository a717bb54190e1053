# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.effort import examples

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._fingerprint import fingerprint
from ansible_collections.vpnops.keys.plugins.module_utils._ios import getvpn_members, getvpn_policy, screen
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn import read_release, read_startup
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_config import Group, read_groups
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_coop import Coop, CoopPeer, read_coop
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_members import read_members, read_rekeys
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_policy import read_policy
from ansible_collections.vpnops.keys.plugins.module_utils._ios.key_listings import (
    FreeLabel,
    HeldLabel,
    KeyRing,
    read_export,
    read_rsa_keys,
)
from ansible_collections.vpnops.keys.plugins.module_utils._ios.labels import Label
from ansible_collections.vpnops.keys.plugins.module_utils._ios.screen import refusal, strip_noise

TRANSCRIPTS = {path.stem: path.read_text() for path in (Path(__file__).parent / "transcripts").glob("*.txt")}

SYSLOG = [
    "*Nov 22 10:00:00.123: %SSH-5-ENABLED: SSH 2.0 has been enabled",
    "Nov 22 10:00:00.123 UTC: %CRYPTO_ENGINE-5-KEY_ADDITION: A key named K has been generated or imported by pki",
    ".Jun  7 2026 10:00:00 CEST: %PARSER-5-HIDDEN: Warning!!! ' crypto key generate rsa' is a hidden command.",
    "000123: *Nov 22 10:00:00.123: %SYS-5-CONFIG_I: Configured from console by admin on vty0 (10.0.0.1)",
    "000124: 1d02h: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to up",
    "00:00:12: %GDOI-5-COOP_KS_ADD: 10.0.0.2 added as COOP Key Server in group G",
    "%CRYPTO_ENGINE-5-KEY_DELETED: A key named K has been removed from key storage",
    "*Sep 6 17:43:41.291: %Cisco-SDWAN-RP_0-CFGMGR-4-WARN-300005: New admin password not set yet",
    "*May 28 09:01:05.136: yang-infra: Default hostkey created (NETCONF_SSH_RSA_KEY.server)",
    " SECURITY WARNING - Module: SSH, Command: crypto key generate rsa ..., Reason: SSH RSA host key uses",
    " INSECURE DYNAMIC WARNING - Module: SSH, Command: crypto key generate rsa modulus <modulus-size>",
    " %RSA key size needs to be atleast 3072 bitsfor SSH server functionality to be enabled",
    "RSA key size needs to be atleast 768 bits for ssh version 2",
]
# Without a date or a word that opens them they can be told from hex and base64 only behind a line break.
GLUABLE = [line for line in SYSLOG if re.match(r"[*.%]| ", line)]

TIMES = ("10:00:00", "10:00:00.123")
ZONES = ("", " UTC", " utc", " NL-DST", " GMT+1", " UTC-3", " +0100", " +01:00", " -03", " <+03>", " Pacific-Daylight")
DATES = [
    *(f"{date} {time}{zone}" for date in ("Nov 22", "Mar  1", "Nov 22 2026") for time in TIMES for zone in ZONES),
    *(f"Nov 22 {time}{zone} 2026" for time in TIMES for zone in ZONES),
    *(f"2026-11-22{sep}{time}{zone}" for sep in "T " for time in TIMES for zone in (*ZONES, "Z", "+01:00", "+0100")),
]
STAMPS = [
    *(f"{mark}{date}: " for mark in ("", "*", ".") for date in DATES),
    *(f"{up}: " for up in ("00:00:12", "10:11:12.345", "1d02h", "3w4d", "1y2w", "1y12w")),
]
"""Every form that `service timestamps log` has: uptime or datetime, with or without msec, localtime, show-timezone and
year, of a clock that is set, was never set (*) or has lost its source (.)."""
NUMBERS = ("", "000123: ", "1234567: ", "29: ")
"""`service sequence-numbers`."""
BODIES = ("%SYS-5-CONFIG_I: Configured from console by admin on vty0", "yang-infra: Default hostkey created")

READERS: dict[str, Callable[[str], object]] = {
    "mypubkey": read_rsa_keys,
    "export": read_export,
    "config": read_groups,
    "coop": read_coop,
    "policy": read_policy,
    "members": read_members,
}
CASES = [(name, reader) for name in TRANSCRIPTS for prefix, reader in READERS.items() if name.startswith(prefix)]


def outcome(reader: Callable[[str], object], text: str) -> object:
    """What a reader says; anything but a value or VpnKeysError("unreadable") fails the test."""
    try:
        return reader(text)
    except VpnKeysError as error:
        sentence, code = str(error), error.code
    assert code == "unreadable"
    assert sentence.endswith(".")
    assert sentence.isprintable()
    return sentence


# -- noise -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", SYSLOG)
def test_log_messages_are_removed_wherever_a_line_begins(line: str) -> None:
    assert strip_noise(f"one\n{line}\ntwo\n") == "one\ntwo\n"
    assert strip_noise(f"{line}\r\nR1#") == "R1#"


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("body", BODIES)
def test_a_log_message_with_any_time_stamp_is_no_content(number: str, body: str) -> None:
    for stamp in STAMPS:
        line = f"{number}{stamp}{body}"
        assert strip_noise(f"one\n{line}\ntwo\n") == "one\ntwo\n", line
        assert strip_noise(f"{line}\r\nR1#") == "R1#", line
        assert strip_noise(f"text\nR1(config)#{line}\n").rstrip() == "text\nR1(config)#", line


def test_a_date_in_the_middle_of_a_line_is_where_a_log_message_begins() -> None:
    for stamp in (one for one in STAMPS if one[0] in "*.NM2"):
        line = f"{stamp}{BODIES[0]}"
        assert strip_noise(f"  30820122 300D06{line}\n09 2A864886\n") == "  30820122 300D0609 2A864886\n", line


@pytest.mark.parametrize(("name", "reader"), CASES)
def test_no_time_stamp_changes_a_reading(name: str, reader: Callable[[str], object]) -> None:
    """One form at each line, all of them over the lines of all transcripts."""
    lines = TRANSCRIPTS[name].split("\n")
    expected = outcome(reader, TRANSCRIPTS[name])
    forms = [f"{number}{stamp}{body}" for stamp in STAMPS for number in NUMBERS for body in BODIES]
    for start in range(0, len(forms), 97):
        between = itertools.islice(itertools.cycle(forms), start, start + len(lines))
        noisy = "\n".join(text for pair in zip(between, lines, strict=True) for text in pair)
        assert outcome(reader, noisy) == expected


@pytest.mark.parametrize("line", GLUABLE)
@pytest.mark.parametrize("before", ["R1#", "R1(config)#", "[yes/no]: ", "How many bits in the modulus [512]: "])
def test_a_log_message_behind_a_prompt_leaves_the_prompt(line: str, before: str) -> None:
    assert strip_noise(f"text\n{before}{line}\n").rstrip() == f"text\n{before}".rstrip()
    assert strip_noise(f"text\n{before}\r\n{line}\r\n") == f"text\n{before}\n"


@pytest.mark.parametrize(
    "line",
    [
        "% Invalid input detected at '^' marker.",
        "% Key pair import succeeded.",
        "% Generating 2048 bit RSA keys, keys will be exportable...",
        "% Key pair was generated at: 06:51:40 UTC Aug 30 2022",
        "%Error opening nvram:/startup-config (No space left on device)",
        "% RSA keypair K is not exportable.",
        "10:00:00.000 UTC Sun Nov 22 2026",
        "2026-11-22 10:00:00",
        " Key expires: 2026-11-22T10:00:00Z",
        " TEK lifetime: 00:00:12",
        "uptime is 1d02h",
        "Last configuration change at 10:00:00 UTC Sun Nov 22 2026 by admin: x",
        "*10:00:00.000 UTC Sun Nov 22 2026",
    ],
)
def test_the_device_s_own_messages_stay(line: str) -> None:
    assert strip_noise(f"a\n{line}\nb") == f"a\n{line}\nb"


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a\r\nb\r\r\nc\rd", "a\nb\nc\nd"),
        ("one\n --More-- \b\b\b\b\b\b\b\b\b        \b\b\b\b\b\b\b\b\btwo", "one\ntwo"),
        ("one\r\n --More-- \r          \rtwo", "one\ntwo"),
        ("one\n--More--\ntwo", "one\n\ntwo"),
        ("ab\b \bc", "ac"),
        ("\b\b\na\b\b\bb", "\nb"),
        ("\x00a\x07b", "ab"),
    ],
)
def test_terminal_tricks(raw: str, clean: str) -> None:
    assert strip_noise(raw) == clean


def test_a_traceback_goes_with_its_message() -> None:
    text = 'a\n*Nov 22 10:00:00.123: %SYS-3-BAD: bad\n-Traceback= 1A2B3Cz 4D5E6Fz\n-Process= "Exec", ipl= 0\nb\n'
    assert strip_noise(text) == "a\nb\n"


@pytest.mark.parametrize(("name", "reader"), CASES)
def test_noise_between_lines_changes_no_reading(name: str, reader: Callable[[str], object]) -> None:
    text = TRANSCRIPTS[name]
    expected = outcome(reader, text)
    lines = text.split("\n")
    for number, message in zip(range(0, len(lines), max(1, len(lines) // 40)), SYSLOG * 10, strict=False):
        for noise in (message, f"\n{message}", f"{message}\n\n{message}"):
            noisy = "\n".join([*lines[:number], noise, *lines[number:]])
            assert outcome(reader, noisy) == expected
            assert outcome(reader, noisy.replace("\n", "\r\n")) == expected
    spaced = "\n".join(line + "   " for line in lines)
    assert outcome(reader, spaced) == expected
    paged = re.sub(r"((?:[^\n]*\n){24})", lambda m: m[1] + " --More-- " + "\b" * 9 + " " * 8 + "\b" * 9, text)
    assert outcome(reader, paged) == expected


@pytest.mark.parametrize("name", ["mypubkey_xe", "export_xe_aes", "export_ios15_3des"])
@given(data=st.data())
@settings(max_examples=examples(60), deadline=None)
def test_noise_in_the_middle_of_hex_and_base64_changes_no_reading(name: str, data: st.DataObject) -> None:
    reader = read_rsa_keys if name.startswith("mypubkey") else read_export
    text = TRANSCRIPTS[name]
    bodies = [m.span() for m in re.finditer(r"^(?:  [0-9A-F]{8} .*|[A-Za-z0-9+/]{64})$", text, re.MULTILINE)]
    start, end = data.draw(st.sampled_from(bodies))
    at = data.draw(st.integers(start + 3, end - 1))
    message = data.draw(st.sampled_from([line for line in GLUABLE if line[0] in "*.%"]))
    noisy = text[:at] + data.draw(st.sampled_from(["", "\n", "\r\n"])) + message + "\r\n" + text[at:]
    assert reader(noisy) == reader(text)


@pytest.mark.parametrize(
    "piece",
    [
        "A",
        " ",
        "%",
        "%A-",
        "*Nov ",
        "0",
        "\b",
        "\r",
        "--More--",
        " --More-- \b",
        "-",
        ":00.",
        "%a-5-",
        "x:",
        "  x",
        "%X-5-Y: \n",
    ],
)
def test_long_outputs_cost_linear_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    for work in (strip_noise, refusal, *READERS.values()):
        begin = time.process_time()
        outcome(work, text)
        assert time.process_time() - begin < 2


# -- RSA keys --------------------------------------------------------------------------------------------------


def shape(text: str) -> list[tuple[object, ...]]:
    return [(k.label, k.usage, k.bits, k.exportable, k.storage, k.saved, k.temporary) for k in read_rsa_keys(text)]


def test_keys_of_ios_15() -> None:
    assert shape(TRANSCRIPTS["mypubkey_ios15"]) == [
        ("getvpnkey", "general", 1024, True, "not specified", None, False),
        ("getvpnkey.server", "encryption", 768, False, None, None, True),
    ]
    key = read_rsa_keys(TRANSCRIPTS["mypubkey_ios15"])[0]
    assert key.generated == "03:56:15 UTC Aug 9 2013"
    assert key.public_key in TRANSCRIPTS["export_ios15_3des"]
    assert key.fingerprint == fingerprint(key.spki)
    assert key.spki.hex() not in repr(key)


def test_keys_of_ios_xe_without_the_ec_one() -> None:
    assert shape(TRANSCRIPTS["mypubkey_xe"]) == [
        ("test", "general", 4096, False, "private-config", True, False),
        ("4k_keypair", "general", 2048, True, "not specified", None, False),
        ("4k_keypair.server", "encryption", 2176, False, None, None, True),
    ]


def test_usage_keys_locked_keys_and_hardware_keys() -> None:
    hardware = "act2 (label=act2, key index=24)"
    assert shape(TRANSCRIPTS["mypubkey_usage_and_hardware"]) == [
        ("pair.vpn.lab", "signature", 2048, True, "private-config", True, False),
        ("pair.vpn.lab", "encryption", 2048, True, "private-config", True, False),
        ("CISCO_IDEVID_SUDI", "general", 2048, False, hardware, True, False),
    ]


def test_indents_do_not_matter() -> None:
    text = TRANSCRIPTS["mypubkey_xe"]
    flat = "\n".join(line.strip() for line in text.split("\n"))
    deep = "\n".join("    " + line for line in text.split("\n"))
    assert read_rsa_keys(flat) == read_rsa_keys(deep) == read_rsa_keys(text)


def test_no_keys_is_not_an_error_but_a_refusal_is() -> None:
    assert read_rsa_keys("") == ()
    assert read_rsa_keys("R1#show crypto key mypubkey rsa\r\nR1#") == ()
    assert read_rsa_keys("% Key pair not found\n") == ()
    with pytest.raises(VpnKeysError, match="Invalid input") as raised:
        read_rsa_keys("show crypto key mypubkey rsa\n           ^\n% Invalid input detected at '^' marker.\n\nR1>")
    assert raised.value.code == "unreadable"


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda text: text.replace("  0001\n", "", 1), "getvpnkey"),
        (lambda text: text.replace("  0001\n", "  0001 00\n", 1), "getvpnkey"),
        (lambda text: text.replace("  0001\n", "  000\n", 1), "getvpnkey"),
        (lambda text: text.replace("  0001\n", "  0001\n  0001\n", 1), "getvpnkey"),
        (lambda text: text.replace("30819F30", "30819F31"), "getvpnkey"),
        (lambda text: text.replace("864886F7 0D010101", "2A8648CE 3D020101", 1), "getvpnkey"),
        (lambda text: text.replace("Key Data:", "Key Datum:", 1), "getvpnkey"),
        (lambda text: text.replace("General Purpose Key", "Purpose", 1), "getvpnkey"),
        (lambda text: text.replace("Key name: getvpnkey\n", "", 1), "without a name"),
        (lambda text: re.sub(r"^(  \w+)", r"\1 zz", text, count=1, flags=re.MULTILINE), "getvpnkey"),
    ],
)
def test_a_damaged_key_is_unreadable_and_named(damage: Callable[[str], str], named: str) -> None:
    text = damage(TRANSCRIPTS["mypubkey_ios15"])
    assert text != TRANSCRIPTS["mypubkey_ios15"]
    with pytest.raises(VpnKeysError, match=named) as raised:
        read_rsa_keys(text)
    assert raised.value.code == "unreadable"


def test_a_listing_cut_anywhere_shows_whole_keys_or_none() -> None:
    text = TRANSCRIPTS["mypubkey_ios15"]
    whole = read_rsa_keys(text)
    for at in range(len(text)):
        result = outcome(read_rsa_keys, text[:at])
        assert isinstance(result, str) or result in {(), whole[:1], whole}


# -- proofs ----------------------------------------------------------------------------------------------------


def test_the_key_ring_answers_and_proves() -> None:
    ring = KeyRing(read_rsa_keys(TRANSCRIPTS["mypubkey_xe"]))
    assert ring.labels == ("test", "4k_keypair")
    assert [key.bits for key in ring.of(Label.parse("test"))] == [4096]
    assert ring.of(Label.parse("nobody")) == ()
    assert ring.held(Label.parse("test")).label == Label.parse("test")
    assert ring.free(Label.parse("nobody")).label == Label.parse("nobody")
    with pytest.raises(VpnKeysError) as raised:
        ring.free(Label.parse("test"))
    assert raised.value.code == "in_use"
    with pytest.raises(VpnKeysError) as raised:
        ring.held(Label.parse("nobody"))
    assert raised.value.code == "not_found"


def test_a_temporary_key_is_neither_held_nor_free() -> None:
    text = TRANSCRIPTS["mypubkey_xe"].replace("4k_keypair.server", "temporary")
    ring, label = KeyRing(read_rsa_keys(text)), Label.parse("temporary")
    assert ring.of(label) == ()
    with pytest.raises(VpnKeysError, match="already"):
        ring.free(label)
    with pytest.raises(VpnKeysError, match="no key"):
        ring.held(label)


@pytest.mark.parametrize("proof", [FreeLabel, HeldLabel])
def test_a_proof_is_made_of_a_label_and_a_ring_only(proof: Callable[[object, object], object]) -> None:
    ring = KeyRing(())
    for label, seen in (("test", ring), (Label.parse("test"), ()), (Label.parse("test"), None), (None, ring)):
        with pytest.raises(TypeError):
            proof(label, seen)


# -- exports ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["export_ios15_3des", "export_xe_3des", "export_xe_aes", "export_xe_des"])
def test_exports_come_back_as_the_device_wrote_them(name: str) -> None:
    text = TRANSCRIPTS[name]
    exported = read_export(text)
    assert exported.usage == "general"
    assert exported.public_pem in text
    assert exported.private_pem in text
    assert "\n\n" in exported.private_pem
    assert exported.private_pem not in repr(exported)
    lost_blank = re.sub(r"(DEK-Info.*\n)\n", r"\1", text)
    spread = text.replace("\n", "\n\n")
    assert read_export(lost_blank) == read_export(spread) == exported


def test_usage_keys_are_refused() -> None:
    with pytest.raises(VpnKeysError, match="more than one key pair"):
        read_export(TRANSCRIPTS["export_usage_keys"])


def test_what_the_device_said_instead_of_an_export() -> None:
    with pytest.raises(VpnKeysError, match="RSA keypair K is not exportable"):
        read_export("R1(config)#crypto key export rsa K pem terminal 3des x\n% RSA keypair K is not exportable.\n")


@pytest.mark.parametrize("name", ["export_ios15_3des", "export_xe_aes"])
def test_an_export_cut_anywhere_is_refused(name: str) -> None:
    text = TRANSCRIPTS[name]
    whole = read_export(text)
    last = text.index("-----END RSA PRIVATE KEY-----") + len("-----END RSA PRIVATE KEY-----")
    for at in range(len(text)):
        result = outcome(read_export, text[:at])
        assert result == whole if at >= last else isinstance(result, str)


# -- GET VPN ---------------------------------------------------------------------------------------------------


def test_groups_of_ios_15() -> None:
    assert read_groups(TRANSCRIPTS["config_ios15"]) == (
        Group(
            name="mygroup",
            kind="gdoi",
            identity="66666",
            label="getvpnkey",
            priority=100,
            peers=("202.100.1.2", "202.100.1.3"),
            address="202.100.1.1",
            redundancy=True,
            rekey_lifetime=1800,
            rekey_algorithm="aes 256",
            rekey_transport="unicast",
            local_server=True,
        ),
        Group(
            name="secondgroup",
            kind="gdoi",
            identity="77777",
            label="getvpnkey",
            address="202.100.1.1",
            rekey_lifetime=172800,
            local_server=True,
        ),
    )


def test_groups_in_a_whole_configuration_of_ios_xe() -> None:
    assert read_groups(TRANSCRIPTS["config_xe"]) == (
        Group(
            name="G6",
            kind="gkm",
            identity="2002",
            label="REKEYRSA",
            priority=245,
            peers=("2001:DB8::2",),
            address="2001:DB8::1",
            redundancy=True,
            rekey_transport="unicast",
            sa_lifetimes=(7200,),
            local_server=True,
        ),
        Group(name="GM-ONLY", kind="gdoi", identity="3003", local_server=False),
    )


def test_coop_of_ios_15() -> None:
    peer = CoopPeer("202.100.1.1", 100, "Primary", "Alive", "Established", heard=30, announcements=29)
    assert read_coop(TRANSCRIPTS["coop_ios15"]) == {
        "mygroup": Coop(True, "202.100.1.2", 75, "Secondary", "Alive", (peer,))
    }


def test_coop_of_ios_xe() -> None:
    expected = {
        "bw6000": Coop(
            True,
            "10.78.106.116",
            100,
            "Primary",
            "Alive",
            (
                CoopPeer("10.78.106.117", 90, "Secondary", "Alive", "Established", "1.0.27", "1.0.8", 0, 4),
                CoopPeer("10.78.106.118", 80, None, "Unknown", "In Progress", "N/A", heard=0),
            ),
            "1.0.27",
            "1.0.8",
        ),
        "alone": Coop(redundancy=False),
    }
    text = TRANSCRIPTS["coop_xe_detail"]
    assert read_coop(text) == expected
    assert read_coop(text.replace("Crypto Gdoi Group", "Crypto Gkm Group")) == expected


@pytest.mark.parametrize("broken", [",\n", ", \n", " ,\r\n"])
def test_coop_in_lines_that_are_broken_behind_a_comma(broken: str) -> None:
    text = TRANSCRIPTS["coop_ios15"]
    assert read_coop(text.replace(", ", broken)) == read_coop(text)


def test_policy() -> None:
    policy, empty = read_policy(TRANSCRIPTS["policy_xe"])
    assert (policy.group, policy.server) == ("getvpn1", "1.1.1.1")
    assert policy.kek == getvpn_policy.Kek(
        spi="0xEEB0E9A2BBD4C71AF1034F6B24EB8022",
        transport="Unicast",
        algorithm="AES",
        lifetime=1200,
        remaining=787,
        time_to_rekey=552,
        sig_hash="enabled",
        sig_key_label="REKEYRSA",
        sig_key_bytes=550,
        sig_bytes=512,
        acknowledgement="Cisco",
    )
    assert policy.teks == (
        getvpn_policy.Tek("0xEE021924", "acl1", "esp-256-aes esp-sha256-hmac", 600, 188, 62, 64),
        getvpn_policy.Tek("0x3A14695B", "acl1", "esp-256-aes esp-sha256-hmac", 600, 0, None, 64),
    )
    assert empty == getvpn_policy.Policy("empty-one", "1.1.1.1")


@pytest.mark.parametrize(
    ("head", "group", "server"),
    [
        ("For group VPNX (handle: 2147483650) server 2001:DB8::1 (handle: 2147483650):", "VPNX", "2001:DB8::1"),
        ("For group VPNX server 10.0.0.1:", "VPNX", "10.0.0.1"),
        ("For group VPNX (handle: 2147483650):", "VPNX", None),
        ("For group VPN:X:", "VPN:X", None),
        ("For group VPNX", "VPNX", None),
    ],
)
def test_who_has_a_policy(head: str, group: str, server: str | None) -> None:
    assert read_policy(f"Key Server Policy:\n{head}\n") == (getvpn_policy.Policy(group, server),)


def test_a_policy_that_does_not_say_how_rekeys_travel() -> None:
    (policy, dummy) = read_policy(TRANSCRIPTS["policy_xe"].replace(" (transport type : Unicast)", ""))
    assert policy.kek
    assert (policy.kek.transport, policy.kek.algorithm) == (None, "AES")


@pytest.mark.parametrize(("line", "lifetime"), [("tek life(sec)      : 900 ", 900), ("", 600)])
def test_the_whole_lifetime_of_a_traffic_key(line: str, lifetime: int) -> None:
    """Of the two that IOS shows the TEK's own; where there is only one, that."""
    text = TRANSCRIPTS["policy_xe"].replace("tek life(sec)      : 600 ", line)
    assert [tek.lifetime for tek in read_policy(text)[0].teks] == [lifetime, lifetime]


def test_members() -> None:
    assert read_members(TRANSCRIPTS["members_xe"]) == (
        getvpn_members.Member("44.44.44.1", "bw-suiteB-v6", "Registered", "16.16.16.1", "1.0.25", 3, 1, 2, 1),
        getvpn_members.Member("2001:DB8::44", "bw-suiteB-v6", "Registering", "16.16.16.1", "1.0.27", 0, 0, 0, 0),
    )


def test_how_rekeys_went() -> None:
    assert read_rekeys(TRANSCRIPTS["members_xe"]) == {"bw-suiteB-v6": getvpn_members.Rekeys(3, 0, 1)}
    old = "Group Member Information : \n\nNumber of rekeys sent for group G : 3\n"
    assert read_rekeys(old) == {"G": getvpn_members.Rekeys(3)}
    for damaged in (old + "Number of rekeys sent for group G : 4\n", old.replace(": 3", ": three")):
        with pytest.raises(VpnKeysError, match="list of group members"):
            read_rekeys(damaged)


def test_releases_and_what_a_reload_brings() -> None:
    xe = "Cisco IOS XE Software, Version 17.09.04a\nCisco IOS Software [Cupertino], ISR, Version 17.9.4a, RELEASE\n"
    assert read_release(xe) == "17.09.04a"
    assert read_release("Cisco IOS Software, IOSv Software (VIOS-K9-M), Version 15.7(3)M3, RELEASE") == "15.7(3)M3"
    assert read_release("% Invalid input detected") is None
    assert read_startup("") is None
    assert read_startup("startup-config is not present\n") == ()
    (group,) = read_startup("crypto gdoi group G\n server local\n  rekey authentication mypubkey rsa K\n") or ()
    assert (group.name, group.label) == ("G", "K")


def test_fields_that_only_a_tab_parts() -> None:
    text = "Group Member ID : 44.44.44.1\tGM Version: 1.0.25\n Group Name : G\n"
    assert read_members(text) == (getvpn_members.Member("44.44.44.1", "G", version="1.0.25"),)


@pytest.mark.parametrize(("length", "readable"), [(1001, True), (1002, False)])
def test_a_line_longer_than_any_of_a_device_is_not_read(length: int, readable: bool) -> None:
    line = " GM Version".ljust(length - len(": 1.0.25")) + ": 1.0.25"
    found = outcome(read_members, f"Group Member ID : 44.44.44.1\n Group Name : G\n{line}\n")
    member = getvpn_members.Member("44.44.44.1", "G", version="1.0.25")
    assert found == (member,) if readable else "does not show" in str(found)


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [
        ("coop_ios15", "mygroup", "The COOP state shows a group without a name."),
        ("members_xe", "44.44.44.1", "The list of group members shows 'group member id' without a value."),
        (
            "members_xe",
            " Group Name        : bw-suiteB-v6",
            "The list of group members shows one without an address or without a group.",
        ),
    ],
)
def test_what_cannot_be_read_without_a_name_or_an_address(name: str, damage: str, sentence: str) -> None:
    reader = read_coop if name.startswith("coop") else read_members
    assert outcome(reader, TRANSCRIPTS[name].replace(damage, "", 1)) == sentence


@pytest.mark.parametrize(
    ("reader", "what"),
    [
        (read_coop, "its COOP state"),
        (read_groups, "its GET VPN groups"),
        (read_members, "its group members"),
        (read_policy, "its GET VPN policy"),
    ],
)
def test_nothing_listed_is_nothing_but_a_refusal_is_unreadable(reader: Callable[[str], object], what: str) -> None:
    assert not reader("")
    assert not reader("R1#show something\nR1#")
    assert reader is read_groups or not reader("R1#show something\nGroup Member not Found\nR1#")
    for refused in ("% Invalid input detected at '^' marker.", "Command authorization failed."):
        assert outcome(reader, f"     ^\n{refused}\n") == f'The device did not show {what}: "{refused}".'


# -- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("R1(config)#foo\n               ^\n% Invalid input detected at '^' marker.\n", "invalid_input"),
        ('% Ambiguous command:  "c"', "ambiguous"),
        ("% Incomplete command.", "incomplete"),
        ("% Unknown command or computer name, or unable to find computer address", "unknown_command"),
        ("Command authorization failed.", "not_authorized"),
        ("% Authorization failed.", "not_authorized"),
        ("% Bad secrets", "bad_secret"),
        ("% Access denied", "bad_secret"),
        ("% No password set", "no_secret"),
        ("% RSA keypair K is not exportable.", "not_exportable"),
        ("% Please define a domain-name first.", "domain_name_missing"),
        ("% You already have RSA keys defined named K.\n% They will be replaced.", "will_be_replaced"),
        ("% You already have RSA keys defined named K.\nR1(config)#", "in_use"),
        ("% Unable to decode key.\n% Key pair import failed.", "undecodable"),
        ("Unable to decode key\n% PEM files import failed.", "undecodable"),
        ("% Key pair import failed.", "import_failed"),
        ("% Trustpoint 'test1' is in use.\n% Please delete it or use a different label.", "in_use"),
        ("% Bad passphrase", "bad_passphrase"),
        ("% Passphrase must be at least 8 characters", "short_passphrase"),
        ("% RSA keypair K not found.", "not_found"),
        ("startup-config file open failed (No space left on device)", "no_space"),
        ("startup-config file open failed (Device or resource busy)", "busy"),
        ("Configuration mode is locked by process '3' user 'x' from terminal '0'.", "config_locked"),
        ("%Error opening nvram:/startup-config (unknown)", "other"),
        ("% Something that nobody has seen yet", "other"),
    ],
)
def test_refusals(text: str, code: str) -> None:
    found = refusal(text)
    assert found is not None
    assert found.code == code
    assert found.line
    assert found == refusal(text.replace("\n", "\r\n") + "\r\nR1#")


@pytest.mark.parametrize("name", [n for n in TRANSCRIPTS if n not in {"generate_replaces_silently"}], ids=str)
def test_devices_that_do_what_they_were_asked_refuse_nothing(name: str) -> None:
    assert refusal(TRANSCRIPTS[name]) is None


@pytest.mark.parametrize(
    "line",
    [
        "% Please answer 'yes' or 'no'.",
        "% Importing public General Purpose key or certificate PEM file...",
        "% WARNING: The master key is not configured, so passwords/secrets might not be encrypted.",
        "% All RSA keys will be removed.",
    ],
)
def test_remarks_are_no_refusals(line: str) -> None:
    assert refusal(f"{line}\nR1#") is None
    found = refusal(f"{line}\n% Key pair import failed.\nR1#")
    assert found
    assert found.code == "import_failed"


def test_codes_that_change_what_is_tried_next_exist() -> None:
    known = set(screen._CODES)
    assert known >= screen.COMMAND_REFUSED > screen.COMMAND_UNKNOWN


@pytest.mark.parametrize(
    "line",
    [
        "% Cannot use passphrase s3cretS3cret here",
        "% Bad password s3cretS3cret",
        "% near 'pem terminal 3des s3cretS3cret'",
        "% near 'exportable terminal s3cretS3cret'",
        "% got MIIEpAIBAAKCAQEA7Zs3cretS3cret and stopped",
    ],
)
def test_quotations_hold_no_secret(line: str) -> None:
    found = refusal(line)
    assert found is not None
    assert "s3cret" not in found.line.lower()
    assert "s3cret" not in screen.quote(line).lower()


@given(st.text())
def test_quotations_are_one_short_line(text: str) -> None:
    line = screen.quote(text)
    assert len(line) <= 160
    assert line.isprintable()


# -- prompts, questions, closing lines -------------------------------------------------------------------------


def ends_with(pattern: str, text: str) -> bool:
    return re.search(rf"(?:{pattern})\s*\Z", text) is not None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (screen.REPLACE_QUESTION, "% Do you really want to replace them? [yes/no]: "),
        (screen.REMOVE_QUESTION, "Do you really want to remove these keys? [yes/no]: "),
        (screen.MODULUS_QUESTION, "How many bits in the modulus [512]: "),
        (screen.MODULUS_QUESTION, "How many bits in the modulus [2048]:\n"),
        (screen.DESTINATION_QUESTION, "Destination filename [startup-config]? "),
        (screen.OVERWRITE_NVRAM_QUESTION, "Overwrite the previous NVRAM configuration?[confirm]"),
        (screen.PASSWORD_QUESTION, "Password: "),
        (screen.LOGIN_QUESTION, "Username: "),
    ],
)
def test_questions(pattern: str, text: str) -> None:
    assert ends_with(pattern, text)
    assert ends_with(screen.ANY_QUESTION, text)
    assert not ends_with(pattern, text + "yes\n")
    for other in (screen.REPLACE_QUESTION, screen.REMOVE_QUESTION, screen.MODULUS_QUESTION):
        assert other == pattern or not ends_with(other, text)
    assert not ends_with(screen.ANY_PROMPT, text)


def test_the_two_paste_questions_are_told_apart() -> None:
    text = TRANSCRIPTS["import_ios15"]
    public, private = (text[: m.end()] for m in re.finditer(r"by itself\.\n", text))
    assert ends_with(screen.PUBLIC_PEM_PROMPT, public)
    assert not ends_with(screen.PRIVATE_PEM_PROMPT, public)
    assert ends_with(screen.PRIVATE_PEM_PROMPT, private)
    assert not ends_with(screen.PUBLIC_PEM_PROMPT, private)
    assert ends_with(screen.ANY_QUESTION, public)
    assert not ends_with(screen.ANY_PROMPT, private)


@pytest.mark.parametrize(
    "prompt", ["R1>", "R1#", "R1(config)#", "KS-1(config-gkm-group)#", "a.b_c(x)(y)#", "R1(boot)>"]
)
def test_prompts(prompt: str) -> None:
    assert re.fullmatch(screen.ANY_PROMPT, prompt)
    host = screen.host_of(prompt)
    assert host == re.split(r"[(>#]", prompt)[0]
    begin = host[: screen.SHOWN_HOST_NAME]
    assert screen.prompt_at_end(f"a banner#\n{prompt} \n", begin) == (10, prompt)
    assert screen.prompt_at_end(prompt, "") == (0, prompt)
    for text, said in ((prompt, "x"), (f"{prompt}show", begin), (f"said {prompt}", begin), (f"{prompt}\n.", begin)):
        assert screen.prompt_at_end(text, said) is None
    assert screen.prompts(f"{prompt}show clock\n12:00\n {prompt}\n{prompt}", begin) == 2
    assert not ends_with(screen.ANY_QUESTION, prompt)


@pytest.mark.parametrize("name", [n for n in TRANSCRIPTS if n.startswith(("export", "mypubkey", "import"))])
def test_no_line_of_a_key_is_a_prompt_or_a_question(name: str) -> None:
    for line in TRANSCRIPTS[name].split("\n"):
        if re.fullmatch(r"[A-Za-z0-9+/=]{1,64}|[0-9A-F ]+|-----.*-----|Proc-Type.*|DEK-Info.*", line):
            assert not re.fullmatch(screen.ANY_PROMPT, line)
            assert not ends_with(screen.ANY_QUESTION, line)


def test_closing_lines() -> None:
    ends = {name: screen.generation(text) for name, text in TRANSCRIPTS.items() if name.startswith("generate")}
    assert ends == {
        "generate_new": "done",
        "generate_asks_to_replace": "done",
        "generate_replaces_silently": "done",
        "generate_in_background": "background",
    }
    assert screen.generation("% Please define a domain-name first.\n") is None
    assert screen.generation("% Generating 2048 bit RSA keys, keys will be non-exportable...[OK]\n") == "done"
    assert screen.imported(TRANSCRIPTS["import_ios15"])
    assert not screen.imported("% Key pair import failed.\n")
    assert screen.saved("Building configuration...\r\n[OK]\r\nR1#")
    assert not screen.saved("Building configuration...\r\n% Error\r\nR1#")
    assert screen.read_privilege("Current privilege level is 15\r\nR1#") == 15
    assert screen.read_privilege("R1#") is None
    assert screen.modulus_range(TRANSCRIPTS["generate_new"]) == (360, 4096)
    assert screen.modulus_range("") is None


# -- anything --------------------------------------------------------------------------------------------------

ALL_TEXTS = sorted(TRANSCRIPTS.values())
WORDS = sorted({word for text in ALL_TEXTS for word in re.findall(r"\S+", text) if len(word) < 40})
SOUP = st.lists(
    st.one_of(
        st.sampled_from(WORDS),
        st.sampled_from([" ", "\n", "\r\n", "\b", ":", " , ", "  "]),
        st.text(max_size=5),
    )
).map("".join)


@given(st.one_of(st.text(), SOUP))
@settings(max_examples=examples(300), deadline=None)
def test_readers_take_any_text(text: str) -> None:
    for reader in READERS.values():
        outcome(reader, text)
    strip_noise(text)
    refusal(text)
    screen.generation(text)
    screen.imported(text)
    screen.saved(text)
    screen.read_privilege(text)
    screen.modulus_range(text)
    screen.host_of(text)


@given(st.data())
@settings(max_examples=examples(400), deadline=None)
def test_readers_take_any_damage(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(ALL_TEXTS))
    for dummy in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, min(len(text), begin + 200)))
        new = data.draw(st.one_of(st.text(max_size=8), st.sampled_from(WORDS), st.just(text[begin:end] * 2)))
        text = text[:begin] + new + text[end:]
    for reader in READERS.values():
        outcome(reader, text)


@pytest.mark.parametrize(("name", "reader"), [case for case in CASES if len(TRANSCRIPTS[case[0]]) < 2500])
def test_readers_take_any_beginning_and_any_end(name: str, reader: Callable[[str], object]) -> None:
    text = TRANSCRIPTS[name]
    for at in range(len(text)):
        outcome(reader, text[:at])
        outcome(reader, text[at:])
