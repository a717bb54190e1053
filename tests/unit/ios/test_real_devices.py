# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What transcripts of devices of many kinds show, and what must be read from it."""

from __future__ import annotations

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._ios import pem, screen
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_config import read_groups
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_coop import read_coop
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_members import read_members
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_policy import read_policy
from ansible_collections.vpnops.keys.plugins.module_utils._ios.key_listings import KeyRing, RsaKey, read_rsa_keys

MODULUS = 2**2047 + 1
TYPE = "Key type: RSA KEYS\n"
STORED = " Storage Device: private-config\n"
UNKNOWN = " Storage Device: not specified\n"
HELPER = " Usage: Encryption Key\n Key is not exportable.\n"


GENERAL = " Usage: General Purpose Key\n Key is exportable.\n"


def listed(label: str, *, more: str = TYPE + STORED, rest: str = GENERAL) -> str:
    """A key as a device shows it. `more`: the lines that not every release shows."""
    digits = pem.rsa_spki(MODULUS, 65537).hex().upper()
    words = [digits[at : at + 8] for at in range(0, len(digits), 8)]
    data = "".join(f"  {' '.join(words[at : at + 8])} \n" for at in range(0, len(words), 8))
    return f"% Key pair was generated at: 06:51:40 UTC Aug 30 2022\nKey name: {label}\n{more}{rest} Key Data:\n{data}"


def only(text: str) -> RsaKey:
    (key,) = read_rsa_keys(text)
    return key


def unreadable(text: str) -> str:
    with pytest.raises(VpnKeysError) as raised:
        read_rsa_keys(text)
    assert raised.value.code == "unreadable"
    return str(raised.value)


# -- saved or not


def test_private_config_is_saved_and_not_specified_is_not_known() -> None:
    """A switch said `not specified` after `[OK]`, a router two weeks after its key was made."""
    assert only(listed("K")).saved is True
    assert only(listed("K", more=TYPE + UNKNOWN)).saved is None
    assert only(listed("K", more=TYPE + UNKNOWN)).storage == "not specified"
    assert only(listed("K", more="")).saved is None
    assert only(listed("K", more=TYPE + " Storage Device: usbtoken0\n")).saved is None


def test_an_older_key_that_is_saved_says_nothing_about_a_newer_one() -> None:
    """A C9800 shows private-config for its old keys, and `not specified` only for the newest."""
    keys = read_rsa_keys(listed("OLD") + listed("NEW", more=TYPE + UNKNOWN))
    assert [key.saved for key in keys] == [True, None]


# -- helper keys


def test_the_helper_key_of_old_ios_is_no_key_of_anybody() -> None:
    """A Catalyst 6500 with 12.2: no type, no storage, and no `Temporary key`."""
    ring = KeyRing(read_rsa_keys(listed("X", more="") + listed("X.server", more="", rest=HELPER)))
    assert [key.temporary for key in ring.keys] == [False, True]
    assert ring.labels == ("X",)


def test_an_administrators_own_key_may_be_called_like_a_helper() -> None:
    own = listed("foo.server") + listed("bar.server", rest=" Usage: Encryption Key\n Key is exportable.\n")
    pair = "".join(listed("two.server", rest=f" Usage: {half} Key\n Key is not exportable.\n") for half in PAIR)
    assert KeyRing(read_rsa_keys(own + pair)).labels == ("foo.server", "bar.server", "two.server")


PAIR = ("Signature", "Encryption")


def test_redundancy_is_not_of_ios_xe_alone() -> None:
    enabled = " Usage: General Purpose Key\n Key is exportable. Redundancy enabled.\n"
    assert only(listed("K", rest=enabled)) == only(listed("K"))


# -- labels, times, sizes


@pytest.mark.parametrize("label", ["KeyServer.cisco.com", "GET-VPN-REKEY-2", "a" * 39])
def test_labels_with_dots_and_hyphens_and_long_ones(label: str) -> None:
    assert only(listed(label)).label == label


@pytest.mark.parametrize("label", ["GET VPN", "GET\tVPN", "K 000328:"])
def test_a_label_with_blanks_is_of_a_damaged_listing(label: str) -> None:
    assert "no key can have" in unreadable(listed(label))


@pytest.mark.parametrize("zone", ["IST", "PDT", "EST", "NL-DST", "utc"])
def test_zones_in_times_and_in_log_messages(zone: str) -> None:
    text = listed("K").replace("UTC", zone)
    assert only(text).generated == f"06:51:40 {zone} Aug 30 2022"
    message = f"1000328: Jun 29 13:11:43.363 {zone}: %CRYPTO_ENGINE-5-KEY_ADDITION: A key named K has been generated\n"
    for line in (message, f"*{message[9:]}", message[9:], f" {message}"):
        whole = text.replace(" Key is exportable.\n", f"{line} Key is exportable.\n")
        assert whole != text
        assert read_rsa_keys(whole) == read_rsa_keys(text)


def test_a_size_behind_the_type_is_that_of_the_key() -> None:
    sized = TYPE.replace("KEYS", "KEYS      2048 bits") + STORED
    assert only(listed("K", more=sized)).bits == 2048
    assert "2048 bits as one of 4096" in unreadable(listed("K", more=sized.replace("2048", "4096")))


# -- not IOS


def test_nothing_printed_is_no_keys() -> None:
    assert read_rsa_keys("") == read_rsa_keys("R1#show crypto key mypubkey rsa\r\nR1#") == ()


OTHERS = {
    "IOS-XR": "Key label: the_default\nType     : RSA General purpose\nSize     : 3072\nData     :\n 30820222\n",
    "NX-OS": "rsa Keys generated:Tue Nov 10 09:00:00 2026\n\nssh-rsa AAAAB3NzaC1yc2E\n\nbitcount:2048\n",
    "a banner": "Authorized access only!\n",
    "Junos": "error: syntax error, expecting <command>: crypto\n",
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_is_no_listing_of_ios_is_not_no_keys(other: str) -> None:
    unreadable(OTHERS[other])
    unreadable(listed("K") + OTHERS[other])


@pytest.mark.parametrize("reader", [read_groups, read_coop, read_members, read_policy])
@pytest.mark.parametrize("text", [*OTHERS.values(), "     ^\n% Invalid input detected at '^' marker.\n"])
def test_what_is_no_answer_is_not_no_groups(reader: object, text: str) -> None:
    assert callable(reader)
    with pytest.raises(VpnKeysError) as raised:
        reader(text)
    assert raised.value.code == "unreadable"


# -- refusals

WHOLE = [
    "% Passphrase is too short, needs to be at least 8 chars",
    "% Passphrase must be at least 8 characters long.",
    "% RSA keypair K is not exportable.",
    "% Bad passphrase",
    "% Wrong password.",
]


@pytest.mark.parametrize("line", WHOLE)
def test_refusals_without_a_secret_are_shown_whole(line: str) -> None:
    found = screen.refusal(f"R1(config)#crypto key export rsa K pem terminal 3des x\n{line}\nR1(config)#")
    assert found
    assert found.line == line


def test_the_short_passphrase_of_a_device_is_recognized() -> None:
    found = screen.refusal(WHOLE[0])
    assert found
    assert found.code == "short_passphrase"


@pytest.mark.parametrize("secret", ["s3cretS3cret", "correct horse", "passphrase8", "12345678"])
def test_a_refusal_that_repeats_the_passphrase_does_not(secret: str) -> None:
    assert secret not in screen.quote(f"% Passphrase {secret} is too short, needs to be at least 8 chars")
    assert secret not in screen.quote(f"% crypto key export rsa K pem terminal 3des {secret}")


# -- key servers

POLICY = """Key Server Policy:
For group GDOI_GROUP (handle: 2147483650) server 192.168.1.254 (handle: 2147483650):

  # of teks : 3  Seq num : 1
  KEK POLICY (transport type : Unicast)
    spi : 0xCC24F40DCEA032105661C392ACB9A5E5
    management alg     : disabled    encrypt alg       : AES
    crypto iv length   : 16          key size          : 32
    orig life(sec): 360         remaining life(sec): 305
    time to rekey (sec): 80
    sig hash algorithm : enabled     sig key length    : 162
    sig size           : 129
    sig key name       : RSA_KEYS
    acknowledgement    : Cisco

"""
TEK = """  TEK POLICY (encaps : ENCAPS_TUNNEL)
    spi                : 0x9CAE4C2{number}
    access-list        : ICMP
    transform          : esp-256-aes esp-sha-hmac
    alg key size       : 32            sig key size          : 20
    orig life(sec)     : 120           remaining life(sec)   : 96
    tek life(sec)      : 120           elapsed time(sec)     : 24
    override life (sec): 0             antireplay window size: 64
    time to rekey (sec): {rekey}

"""


def test_a_policy_of_ios_15_with_several_teks() -> None:
    text = POLICY + "".join(TEK.format(number=number, rekey="n/a" if number else 5) for number in range(3))
    (policy,) = read_policy(text)
    assert policy.kek
    assert (policy.kek.time_to_rekey, policy.kek.sig_key_label) == (80, "RSA_KEYS")
    assert [tek.spi for tek in policy.teks] == ["0x9CAE4C20", "0x9CAE4C21", "0x9CAE4C22"]
    # Of a key of 1024 bits: neither is a multiple of its size, so nothing is derived from them.
    assert (policy.kek.sig_key_bytes, policy.kek.sig_bytes) == (162, 129)
    with pytest.raises(VpnKeysError, match="2 TEKs"):
        read_policy(text[: text.rindex("  TEK POLICY")])


def test_one_device_is_primary_of_one_group_and_secondary_of_another() -> None:
    one = (
        "Crypto Gdoi Group Name :GETV{0} \n        Local Address: 192.0.2.1 \n        Local Priority: 100      \n"
        "        Local KS Role: {1} , Local KS Status: Alive     \n"
    )
    found = read_coop(one.format(4, "Secondary") + one.format(6, "Primary  "))
    assert {group: coop.role for group, coop in found.items()} == {"GETV4": "Secondary", "GETV6": "Primary"}


WHOLE_CONFIG = """Building configuration...

Current configuration : 2048 bytes
!
version 15.2
hostname KS1.example.com
!
{before}crypto ipsec profile GP
 set security-association lifetime seconds 7200
 set transform-set T
!
crypto gdoi group G
 identity number 1
 server local
  rekey authentication mypubkey rsa K
  sa ipsec 1
   profile GP
   match address ipv4 101
  address ipv4 192.0.2.1
!
{behind}interface Loopback0
 ip address 192.0.2.1 255.255.255.255
!
end
"""
NEIGHBORS = {
    "peers of IKEv2": "crypto ikev2 keyring K\n peer P\n  address 192.0.2.9\n  identity address 192.0.2.9\n !\n!\n",
    "an IPsec profile with a setting of a later release": "crypto ipsec profile DMVPN\n set qos-group 7\n other\n!\n",
    "a group of members": "crypto gdoi group M\n identity number 9\n server address ipv4 192.0.2.1\n passive\n!\n",
    "a dynamic map": "crypto dynamic-map D 10\n set transform-set T\n set pfs group14\n reverse-route\n!\n",
    "a RADIUS server": "radius server R\n address ipv4 192.0.2.8 auth-port 1812 acct-port 1813\n!\n",
    "an applet about GET VPN": 'event manager applet A\n action 1.0 cli command "show crypto gdoi"\n!\n',
    "a certificate": "crypto pki certificate chain C\n certificate self-signed 01\n  3082022B 30820194\n  \tquit\n!\n",
}


@pytest.mark.parametrize("neighbor", NEIGHBORS)
def test_what_else_a_configuration_has_stands_in_no_group_s_way(neighbor: str) -> None:
    """Where a release cannot show a section, the whole configuration is read."""
    text = NEIGHBORS[neighbor]
    (alone,) = read_groups(WHOLE_CONFIG.format(before="", behind=""))
    assert (alone.label, alone.address, alone.sa_lifetimes) == ("K", "192.0.2.1", (7200,))
    for before, behind in ((text, ""), ("", text)):
        groups = read_groups(WHOLE_CONFIG.format(before=before, behind=behind))
        assert [group for group in groups if group.local_server] == [alone]


def test_an_ipsec_profile_that_a_group_names_must_be_readable() -> None:
    text = WHOLE_CONFIG.format(before="", behind="")
    with pytest.raises(VpnKeysError, match="IPsec profile 'GP' shows a line that cannot be read"):
        read_groups(text.replace(" set transform-set T", " set qos-group 7"))
