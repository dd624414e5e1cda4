"""Waits for a minute."""

import time

time.sleep(60)
