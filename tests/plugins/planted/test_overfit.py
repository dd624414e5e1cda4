"""`rr doctor --overfit`, of a training that can learn and of one that cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from rr_bench.doctor.diagnosis import Diagnosis
from rr_bench.doctor.overfit import overfit
from rr_bench.progress import SILENT
from rr_bench.resolve import resolve
from rr_bench.schema import RerankerEntry
from tests.plugins.planted.planting import RECIPES, topics, with_counter
from tests.plugins.planted.test_planted import keep


@pytest.mark.planted
@pytest.mark.parametrize(
    ("entry", "rate", "verdict"),
    [("head", 1e-9, "fault"), ("counter", 0.5, "ok")],
)
def test_it_tells_whether_a_few_queries_are_learnt(
    entry: str, rate: float, verdict: str, sentence_encoder: Path
) -> None:
    recipe = RECIPES[entry]
    model = {"model": str(sentence_encoder)} if entry == "head" else {}
    told = RerankerEntry(
        scorer=recipe["scorer"],
        trainer=recipe["scorer"],
        settings={**recipe["settings"], **model},
        training={**recipe["training"], "lr": rate},
    )
    plugins = with_counter()
    finding = overfit(plugins, resolve(plugins, entry, told), topics(), SILENT)
    keep(f"{entry}: --overfit at rate {rate:g}", Diagnosis({"overfit": finding}))
    assert finding.verdict == verdict, finding
