# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every line the simulated IOS says about keys, with how sure it is.

Provenance: `seen` in a device transcript; `documented` by Cisco; `code`: in Cisco's own test code, made from devices;
`recalled`: known from use, no transcript at hand; `guess`: nobody knows, something plausible. A device of the lab
file can say something else: `overrides: {text.NAME: "..."}`. Texts are str.format templates; a line ends in a
newline, a question does not.
"""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    # -- the command line itself
    "invalid": ("seen", "% Invalid input detected at '^' marker.\n\n"),
    "incomplete": ("seen", "% Incomplete command.\n\n"),
    "ambiguous": ("seen", '% Ambiguous command:  "{line}"\n'),
    "subcommands": ("recalled", '% Type "{line} ?" for a list of subcommands\n'),
    "unknown_host": (
        "recalled",
        (
            'Translating "{word}"\n\nTranslating "{word}"\n'
            "% Unknown command or computer name, or unable to find computer address\n"
        ),
    ),
    "configuring": ("seen", "Enter configuration commands, one per line.  End with CNTL/Z.\n"),
    "configure_from": ("recalled", "Configuring from terminal, memory, or network [terminal]? "),
    "answer_yes_or_no": ("seen", "% Please answer 'yes' or 'no'.\n"),
    "not_a_number": ("recalled", "% A decimal number between {low} and {high}.\n"),
    # -- enable
    "enable_password": ("seen", "Password: "),
    "bad_secrets": ("seen", "% Bad secrets\n\n"),
    "access_denied": ("recalled", "% Access denied\n\n"),
    "authentication_error": ("recalled", "% Error in authentication.\n\n"),
    "no_password_set": ("recalled", "% No password set\n"),
    # -- generate
    "key_name": ("seen", "The name for the keys will be: {label}\n"),
    "already_have": ("seen", "% You already have RSA keys defined named {label}.\n"),
    "will_be_replaced": ("seen", "% They will be replaced.\n"),
    "really_replace": ("seen", "% Do you really want to replace them? [yes/no]: "),
    "modulus_size": ("seen", "% The key modulus size is {bits} bits\n"),
    "generating": ("seen", "% Generating {bits} bit RSA keys, keys will be {exportable}..."),
    "generated": ("seen", "\n[OK] (elapsed time was {seconds} seconds)\n\n"),
    "in_background": ("documented", "% Generating crypto RSA keys in background ...\n"),
    "choose_modulus": (
        "seen",
        (
            "Choose the size of the key modulus in the range of {low} to {high} for your\n"
            "  {usage} Keys. Choosing a key modulus greater than 512 may take\n  a few minutes.\n\n"
        ),
    ),
    "how_many_bits": ("seen", "How many bits in the modulus [{default}]: "),
    "define_domain": ("code", "% Please define a domain-name first.\n"),
    "define_hostname": ("recalled", "% Please define a hostname other than Router.\n"),
    "generate_failed": ("guess", "% Key generation failed.\n"),
    # -- export
    "export_head": ("seen", "% Key name: {label}\n   Usage: {usage} Key\n"),
    "export_data": ("seen", "   Key data:\n"),
    "export_url_public": ("seen", "Exporting public key...\n"),
    "export_url_private": ("seen", "Exporting private key...\n"),
    "destination": ("seen", "Destination filename [{name}]? "),
    "writing_file": ("seen", "Writing file to {file}\n"),
    "not_exportable": ("code", "% RSA keypair {label} is not exportable.\n"),
    "export_missing": ("guess", "% RSA keypair {label} not found.\n"),
    "export_failed": ("guess", "% Key pair export failed.\n"),
    "short_passphrase": ("seen", "% Passphrase is too short, needs to be at least 8 chars\n"),
    # -- import
    "paste_public": (
        "seen",
        (
            "\n% Enter PEM-formatted public {usage} key or certificate.\n"
            '% End with a blank line or "quit" on a line by itself.\n'
        ),
    ),
    "paste_private": (
        "seen",
        '% Enter PEM-formatted encrypted private {usage} key.\n% End with "quit" on a line by itself.\n',
    ),
    "paste_plain_private": (
        "guess",
        '% Enter PEM-formatted private {usage} key.\n% End with "quit" on a line by itself.\n',
    ),
    "imported": ("seen", "% Key pair import succeeded.\n"),
    "import_failed": ("guess", "% Key pair import failed.\n"),
    "import_wrong_passphrase": ("guess", "% Key pair import failed.\n"),
    "import_mismatch": ("guess", "% Public and private keys do not match.\n% Key pair import failed.\n"),
    "import_bad_public": ("guess", "% Unable to decode key\n% Key pair import failed.\n"),
    "import_bad_private": ("guess", "% Unable to decode key\n% Key pair import failed.\n"),
    "import_in_use": ("guess", "% RSA keypair '{label}' is in use.\n% Please delete it or use a different label.\n"),
    "import_url_public": ("documented", "% Importing public {usage} key or certificate PEM file...\n"),
    "import_url_private": ("documented", "% Importing private {usage} key PEM file...\n"),
    "source": ("documented", "Source filename [{name}]? "),
    "reading_file": ("documented", "Reading file from {file}\n"),
    "no_such_file": ("recalled", "%Error opening {file} (No such file or directory)\n"),
    # -- show and zeroize
    "show_missing": ("guess", "% Key {label} not found\n"),
    "zeroize_named": ("seen", "% Keys to be removed are named '{label}'.\n"),
    "zeroize_all_rsa": ("code", "% All RSA keys will be removed.\n"),
    "zeroize_all": ("code", "% All keys will be removed.\n"),
    "zeroize_certs": ("seen", "% All router certs issued using these keys will also be removed.\n"),
    "zeroize_sure": ("seen", "Do you really want to remove these keys? [yes/no]: "),
    "zeroize_missing": ("recalled", "% No Signature RSA Keys found in configuration.\n"),
    "move_missing": ("guess", "% RSA keypair {label} not found.\n"),
    # -- saving and reloading
    "building": ("seen", "Building configuration...\n"),
    "saved": ("seen", "[OK]\n"),
    "nvram_other_version": (
        "recalled",
        (
            "Warning: Attempting to overwrite an NVRAM configuration previously written\n"
            "by a different version of the system image.\nOverwrite the previous NVRAM configuration?[confirm]"
        ),
    ),
    "nvram_full": ("guess", "startup-config file open failed (Not enough space)\n"),
    "no_startup": ("recalled", "startup-config is not present\n"),
    "reload_save": ("recalled", "System configuration has been modified. Save? [yes/no]: "),
    "reload_proceed": ("recalled", "Proceed with reload? [confirm]"),
    # -- GET VPN
    "clear_gdoi": (
        "code",
        (
            "% The Key Server and Group Member will destroy created and downloaded policies.\n"
            "% All Group Members are required to re-register.\n\nAre you sure you want to proceed ? [yes/no]: "
        ),
    ),
    "no_such_group": ("guess", "% Group {group} is not configured\n"),
    "no_such_member": ("seen", "Group Member not Found\n"),
    # -- system messages (without time stamp)
    "log_key_added": (
        "seen",
        "%CRYPTO_ENGINE-5-KEY_ADDITION: A key named {label} has been generated or imported by {who}",
    ),
    "log_key_deleted": ("seen", "%CRYPTO_ENGINE-5-KEY_DELETED: A key named {label} has been removed from key storage"),
    "log_ssh_enabled": ("seen", "%SSH-5-ENABLED: SSH {version} has been enabled"),
    "log_ssh_disabled": ("seen", "%SSH-5-DISABLED: SSH {version} has been disabled"),
    "log_hidden": (
        "seen",
        (
            "%PARSER-5-HIDDEN: Warning!!! ' {command}' is a hidden command. "
            "Use of this command is not recommended/supported and will be removed in future."
        ),
    ),
    "log_configured": ("seen", "%SYS-5-CONFIG_I: Configured from console by {user} on vty{line} ({peer})"),
    "log_reload": (
        "recalled",
        "%SYS-5-RELOAD: Reload requested by {user} on vty{line} ({peer}). Reload Reason: Reload Command.",
    ),
    "log_no_keys": ("recalled", "%GDOI-1-KS_NO_RSA_KEYS: RSA Key - get : Not found, Required for group {group}"),
    "log_to_primary": (
        "recalled",
        (
            "%GDOI-5-COOP_KS_TRANS_TO_PRI: KS {address} in group {group} transitioned to Primary "
            "(Previous Primary = {previous})"
        ),
    ),
}
