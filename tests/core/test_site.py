"""The site: built strictly, complete, in both languages, and without anything from a network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

TITLES = (
    "CUDA out of memory",
    "Loss không giảm",
    "Checkpoint hỏng",
    "DataLoader worker",
    "Training quá chậm",
    "Recall thấp",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    # a proxy that nobody answers at: whatever asked a network would fail
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_of_docs_is_there(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").as_posix()
        language = "vi/" if name.endswith(".vi.md") else ""
        bare = re.sub(r"(\.vi)?\.md$", "", name)
        place = re.sub(r"(^|/)(index|README)$", r"\1", bare)
        assert (site / language / place / "index.html").is_file(), name


def test_the_start_page_is_in_both_languages(site: Path) -> None:
    english, vietnamese = ((site / place / "index.html").read_text("utf-8") for place in ("", "vi"))
    assert 'lang="en"' in english
    assert 'lang="vi"' in vietnamese
    assert "Bài hướng dẫn" in vietnamese


def test_trouble_is_found_by_the_words_that_people_see(site: Path) -> None:
    page = (site / "vi/how-to/troubleshooting/index.html").read_text(encoding="utf-8")
    for title in TITLES:
        assert title in page
    for section in page.split("<h2")[1:]:
        assert re.search(r"<code>.*\brr\b", section.replace("\n", " ")), section[:80]


def test_nothing_is_fetched(site: Path) -> None:
    for page in site.rglob("*.html"):
        if page.name == "bench.html":
            continue  # a page of rr report, which has its own test
        text = page.read_text(encoding="utf-8")
        found = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=\"?(https?://[^\s\">]+)", text)
        assert found == [], page.relative_to(site)


def test_the_search_finds_both_languages(site: Path) -> None:
    found = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    titles = {one["location"]: one["title"] for one in found["docs"]}
    assert titles["tutorials/bench/"] == "The first bench"
    assert titles["vi/tutorials/bench/"] == "Bắt đầu nhanh"
