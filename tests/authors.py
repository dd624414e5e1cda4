"""An author's environment, as tests make one: a venv of its own, in which what this one has is there, too."""

from __future__ import annotations

import os
import site
import subprocess
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

SCRIPTS = {"rr": "rr_bench.cli", "pip": "pip._internal.cli.main", "pytest": "pytest:console_main"}


@dataclass(frozen=True)
class Venv:
    """`pip install` installs into it, offline; its `rr` sees what was installed."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT / "plugins")]),
            "RR_HOME": str(self.folder / "home"),
            # what is built is built by the hatchling that is there; for pip, 0 is how to say so
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def run(self, command: str, folder: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """A shell command, which fails at its first line that does."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
        )


def new_venv(folder: Path) -> Venv:
    venv.create(folder, with_pip=False, symlinks=True)
    (own,) = folder.glob("lib/python*/site-packages")
    (own / "parents.pth").write_text("".join(_parents()), encoding="utf-8")
    for name, target in SCRIPTS.items():
        module, _, function = target.partition(":")
        code = f"from {module} import {function or 'main'} as main\nsys.exit(main())\n"
        script = folder / "bin" / name
        script.write_text(f"#!{folder / 'bin' / 'python'}\nimport sys\n{code}", encoding="utf-8")
        script.chmod(0o755)
    return Venv(folder)


def _parents() -> Iterable[str]:
    """Lines that bring what this environment has; of itself, too, where rr is installed as a link to its code."""
    for folder in site.getsitepackages():
        yield f"import site; site.addsitedir({folder!r})\n"
