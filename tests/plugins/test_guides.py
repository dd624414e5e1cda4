"""The three fine-tuning guides, followed word for word in Vietnamese on the hundred questions of a student club, with
the embedded models: each ends with a table that compares what was trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.core.test_author_docs import blocks
from tests.core.test_examples import GUIDES, run, shell  # noqa: F401 - `shell` is a fixture

COMPARED = {
    "cross-encoder": ("first-stage", "cross-encoder-base", "cross-encoder"),
    "head": ("first-stage", "bi-encoder", "head-base", "head"),
    "letters": ("first-stage", "letters-base", "letters"),
}


@pytest.mark.real
@pytest.mark.parametrize("guide", [ROOT / name.replace(".md", ".vi.md") for name in GUIDES], ids=lambda path: path.name)
def test_a_guide_is_followed_word_for_word(
    guide: Path,
    shared_data: Path,
    shell: dict[str, str],  # noqa: F811
    tmp_path: Path,
) -> None:
    shutil.copy(shared_data / "proptit" / "CLB_PROPTIT.csv", tmp_path / "corpus.csv")
    shutil.copy(shared_data / "proptit" / "train_data_proptit.xlsx", tmp_path / "train.xlsx")
    table = ""
    for block in blocks(guide):
        if block.language in ("sh", "python") and not block.why:
            printed = run(block, tmp_path, shell)
            table = printed if "rr bench" in block.text else table
    for name in COMPARED[guide.name.removesuffix(".vi.md")]:
        assert f"\n {name} " in table, table
    assert "nDCG@10" in table
    assert "trained" in table
