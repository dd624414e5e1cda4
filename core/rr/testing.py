"""The conformance kit for authors of plugins: all of it is `rr_bench.testing`'s."""

from rr_bench.testing import *  # noqa: F403
from rr_bench.testing import __all__ as __all__
