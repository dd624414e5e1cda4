"""Python code that a model's folder carries runs by the user's own word alone: a registry may lie in any folder."""

from __future__ import annotations

import logging
import os

from rr.errors import RerankError
from rr_torch.source import weights_folder

VARIABLE = "RR_TRUST_REMOTE_CODE"
"""The user's word: 1 in the environment, which `rr --trust-remote-code` sets."""


def runs_code(asked: bool, model: str) -> bool:
    """Whether a model may run its own code; where it may, stderr names the folder.

    Args:
        asked: whether the settings ask for it (`trust_remote_code: true`).
        model: a folder, or a model's name.

    Raises:
        RerankError: the settings ask for it, and the user does not allow it.
    """
    if not asked:
        return False
    if os.environ.get(VARIABLE) != "1":
        raise RerankError(
            f"model {model!r}: trust_remote_code would run the Python code in its folder, which a registry cannot "
            f"allow; read that code, then set {VARIABLE}=1, or call rr --trust-remote-code COMMAND"
        )
    logging.getLogger("rr").warning("running the Python code in %s", weights_folder(model) or model)
    return True
