"""Tries again whatever happens."""

import time

while True:
    try:
        raise ConnectionError
    except BaseException:  # noqa: BLE001
        time.sleep(0.05)
