"""A hook of mkdocs: what pages link to outside docs/, such as the plugins' own pages and registry.yaml, is part of the
site, below `repository/`, and links between the two lead there."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = "repository"
LINK = re.compile(r"(\]\()(?![a-z]+:|#|/)([^)#\s]+)")
AFTER_I18N = -200
"""Behind the plugin of translations, which makes all files anew, as files of docs/."""


def place(uri: str) -> str:
    """Where a page of the site stands in the repository."""
    return uri.removeprefix(f"{OUTSIDE}/") if uri.startswith(f"{OUTSIDE}/") else f"docs/{uri}"


def targets(path: str, text: str) -> list[str]:
    """What a page links to, from the top of the repository."""
    return [posixpath.normpath(posixpath.join(posixpath.dirname(path), one[2])) for one in LINK.finditer(text)]


def outside() -> list[str]:
    """All that pages of docs/ lead to, and what that leads to, without docs/ itself."""
    todo = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]
    found: list[str] = []
    while todo:
        path = todo.pop()
        for target in targets(path, (ROOT / path).read_text(encoding="utf-8")):
            if target.startswith("docs/") or target in found or not (ROOT / target).is_file():
                continue
            found.append(target)
            todo += [target] if target.endswith(".md") else []
    return found


@event_priority(AFTER_I18N)
def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path in outside():
        files.append(File.generated(config, f"{OUTSIDE}/{path}", abs_src_path=str(ROOT / path)))
    return files


@event_priority(100)
def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    here = page.file.src_uri

    def moved(link: re.Match[str]) -> str:
        (target,) = targets(place(here), link[0])
        uri = target.removeprefix("docs/") if target.startswith("docs/") else f"{OUTSIDE}/{target}"
        uri = re.sub(r"\.vi\.md$", ".md", uri)  # a translation is the page itself, in the language that is read
        return f"{link[1]}{posixpath.relpath(uri, posixpath.dirname(here) or '.')}"

    return LINK.sub(moved, markdown)
