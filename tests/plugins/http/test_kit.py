"""The conformance kit, against an API on loopback of each shape."""

from __future__ import annotations

import subprocess
import sys

import rr.testing
from rr_http.scorer import HttpScorer
from tests.plugins.http.api import Api


def test_the_kit_finds_nothing(api: Api) -> None:
    subject = rr.testing.subject_of(HttpScorer, api.settings(precision="float32"))
    outcomes = list(rr.testing.run_checks(subject))
    assert outcomes
    assert not [one for one in outcomes if one.bad]


def test_the_kit_finds_nothing_where_a_query_takes_several_calls(api: Api) -> None:
    subject = rr.testing.subject_of(HttpScorer, api.settings(precision="float32", max_documents=3))
    assert not [one for one in rr.testing.run_checks(subject) if one.bad]


def test_its_settings_are_checked_without_a_client() -> None:
    code = (
        "import sys, rr_http.plugin, rr_http.settings\n"
        "rr_http.plugin.rr_register_scorers()\n"
        "rr_http.settings.HttpSettings(shape='jina', url='https://api.jina.ai', model='m').version()\n"
        "print(sorted({'httpx', 'tenacity', 'torch', 'numpy'} & {*sys.modules}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
