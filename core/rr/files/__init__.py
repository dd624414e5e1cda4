"""Files that are whole or absent, carry a checksum, and are compared when they are read; fingerprints, locks, and the
home of all that is kept."""

from __future__ import annotations

from rr.files.atomic import atomic_file, atomic_folder, home, write_atomic
from rr.files.fingerprints import device_name, file_sha256, files_below, fingerprint, folder_fingerprint
from rr.files.keeping import keeping
from rr.files.kept import CHECKSUM, DamagedError, made, outdated, read_checked, set_aside, write_checked
from rr.files.locks import alone
from rr.files.sealed import is_sealed, sealed_folder

__all__ = [
    "CHECKSUM",
    "DamagedError",
    "alone",
    "atomic_file",
    "atomic_folder",
    "device_name",
    "file_sha256",
    "files_below",
    "fingerprint",
    "folder_fingerprint",
    "home",
    "is_sealed",
    "keeping",
    "made",
    "outdated",
    "read_checked",
    "sealed_folder",
    "set_aside",
    "write_atomic",
    "write_checked",
]
