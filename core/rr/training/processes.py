"""Which of several processes this one is, as `accelerate launch` and `torchrun` number them; else the only one."""

import os


def processes() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """0 for the one process that writes files and reports."""
    return int(os.environ.get("RANK", "0"))
