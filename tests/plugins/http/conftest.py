"""An API on loopback for each test, of each shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest

from rr_http.shapes import ShapeName
from tests.plugins.http.api import Api, serving


@pytest.fixture(params=get_args(ShapeName))
def api(request: pytest.FixtureRequest) -> Iterator[Api]:
    with serving(request.param) as one:
        yield one


@pytest.fixture
def cohere() -> Iterator[Api]:
    with serving("cohere-v2") as one:
        yield one
