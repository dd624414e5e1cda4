"""An extra brings all that its plugin imports: seen where everything that it does not bring is out of reach."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

MODULES = {
    "accelerate": "accelerate",
    "flagembedding": "FlagEmbedding",
    "httpx": "httpx",
    "openpyxl": "openpyxl",
    "peft": "peft",
    "pystemmer": "Stemmer",
    "pyvi": "pyvi",
    "rerankers": "rerankers",
    "safetensors": "safetensors",
    "scikit-learn": "sklearn",
    "sentence-transformers": "sentence_transformers",
    "tenacity": "tenacity",
    "torch": "torch",
    "transformers": "transformers",
    "usearch": "usearch",
}
"""Distribution → what it is imported as, of all that any plugin needs."""
PLUGINS = {"": ("rr_baselines", "rr_data"), "letters": ("rr_letters",), "head": ("rr_head",)}
PLUGINS["cross-encoder"] = ("rr_cross_encoder",)
PLUGINS |= {name: (f"rr_{name}",) for name in ("flagembedding", "qwen3_reranker", "rerankers", "sentence_transformers")}
PLUGINS["http"] = ("rr_http",)
LATER = {
    "rr_baselines.bi_encoder",  # of an extra that has it, as these
    "rr_baselines.first_stages.dense",
    "rr_baselines.first_stages.graph",
    "rr_baselines.first_stages.vectors",
    "rr_head.bge_m3",  # of the extra flagembedding, as these
    "rr_cross_encoder.flag",
    "rr_data.readers.proptit",
}


def brought(extra: str) -> set[str]:
    """All distributions that an install with this extra brings, as far as they are installed here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    left = {Requirement(line).name for line in project["dependencies"]}
    left |= {Requirement(line).name for line in (project["optional-dependencies"][extra] if extra else ())}
    found: set[str] = set()
    while left:
        name = canonicalize_name(left.pop())
        if name in found:
            continue
        found.add(name)
        try:
            needs = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:
            continue
        left |= {need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})}
    return found


@pytest.mark.parametrize("extra", PLUGINS)
def test_a_plugin_is_imported_with_what_its_extra_brings(extra: str) -> None:
    absent = [module for name, module in MODULES.items() if name not in brought(extra)]
    modules = [
        ".".join(path.relative_to(ROOT / "plugins").with_suffix("").parts).removesuffix(".__init__")
        for plugin in PLUGINS[extra]
        for path in sorted((ROOT / "plugins" / plugin).rglob("*.py"))
    ]
    code = (
        f"import sys, importlib\nsys.modules.update(dict.fromkeys({absent!r}))\n"
        f"for name in {[name for name in modules if name not in LATER]!r}: importlib.import_module(name)"
    )
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, encoding="utf-8")
    assert ended.returncode == 0, ended.stderr
