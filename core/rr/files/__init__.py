"""Files that are whole or absent and carry a checksum, fingerprints, locks, and the home of all that is kept."""

from rr.files.atomic import alone, atomic_file, atomic_folder, home, write_atomic
from rr.files.fingerprints import device_name, file_sha256, files_below, fingerprint, folder_fingerprint
from rr.files.kept import CHECKSUM, DamagedError, is_sealed, keeping, made, outdated, sealed_folder, set_aside

__all__ = ["CHECKSUM", "DamagedError", "alone", "atomic_file", "atomic_folder", "device_name", "file_sha256"]
__all__ += ["files_below", "fingerprint", "folder_fingerprint", "home", "is_sealed", "keeping", "made", "outdated"]
__all__ += ["sealed_folder", "set_aside", "write_atomic"]
