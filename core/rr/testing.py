"""The conformance kit for authors of plugins: all of it is `rr_testing`'s."""

from rr_testing import *  # noqa: F403
from rr_testing import __all__ as __all__
