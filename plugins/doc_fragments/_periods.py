# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules that say when a key is to be replaced. PRIVATE to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  periods:
    description:
      - >-
        The cryptoperiod of each class of keys, with its reason and the custodian of these keys. It begins when the
        directory records the key of a gateway, or when a key server generates or imports its key.
      - >-
        Set what your policy says. The defaults are from the ranges in NIST SP 800-57 Part 1, section 5.3.6; compare
        them with the revision that applies to you.
    type: dict
    suboptions:
      gateway:
        description: The keys of gateways.
        type: dict
        suboptions:
          days: &days
            description: &overdue Days after which a key is overdue.
            type: int
            default: 365
          due_days: &due_days
            description: &due A key is due this many days before it is overdue.
            type: int
            default: 30
          reason:
            description: &why Why the period is that long, for the auditor.
            type: str
            default: >-
              NIST SP 800-57 Part 1, section 5.3.6: 1 to 2 years for private keys of key agreement and authentication
          custodian: &custodian
            description: Who is responsible for these keys, for the auditor.
            type: str
            default: ""
      key_server:
        description: The RSA keys of GET VPN key servers.
        type: dict
        suboptions:
          days: *days
          due_days: *due_days
          reason:
            description: *why
            type: str
            default: "NIST SP 800-57 Part 1, section 5.3.6: 1 to 3 years for private keys of signatures"
          custodian: *custodian
      signing_key:
        description: The signing key of the directory.
        type: dict
        suboptions:
          days:
            description: *overdue
            type: int
            default: 1095
          due_days:
            description: *due
            type: int
            default: 90
          reason:
            description: *why
            type: str
            default: >-
              NIST SP 800-57 Part 1, section 5.3.6: 1 to 3 years for private keys of signatures; everyone who reads
              the directory must get the next one
          custodian: *custodian
  at:
    description: The time at which keys are judged, as ISO 8601. The default is now.
    type: str
"""
