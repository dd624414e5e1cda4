"""How a page looks in headless Chromium, at any width.

    python benchmarks/screenshot.py bench.html --width 390 --height 2400 --out report-390.png

A window is never narrower than 500 px, so the page is shown in a frame of the width asked for.
"""

from __future__ import annotations

import argparse
import html
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')


def chromium(url: str, *options: str, width: int = 1280, height: int = 2000) -> subprocess.CompletedProcess[str]:
    """What it prints, and what it says of the page on stderr."""
    if CHROMIUM is None:
        raise SystemExit("no chromium on PATH")
    with TemporaryDirectory() as profile:
        fixed = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr"]
        window = [f"--user-data-dir={profile}", f"--window-size={width},{height}"]
        command = [CHROMIUM, *fixed, *window, *options, url]
        return subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=120)


def framed(page: str, width: int, height: int, script: str = "") -> str:
    """A page that shows another one so wide; `script` runs when it is there, with `page` as its document."""
    run = f'onload="const page=this.contentDocument;{html.escape(script)}"' if script else ""
    inner = html.escape(POLICY.sub("", page) if script else page)
    return (
        '<!doctype html><meta charset="utf-8"><style>body{margin:0}iframe{border:0;display:block}</style>'
        f'<iframe width="{width}" height="{height}" {run} srcdoc="{inner}"></iframe><pre id="told"></pre>'
    )


def told(page: str, width: int, script: str) -> str:
    """What the script says of the page: it calls `say(text)`."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "frame.html"
        say = "const say=text=>document.getElementById('told').append(text+'\\n');"
        file.write_text(framed(page, width, 2000, say + script), encoding="utf-8")
        shown = chromium(file.as_uri(), "--dump-dom", "--virtual-time-budget=5000").stdout
    return html.unescape(shown.rpartition('<pre id="told">')[2].partition("</pre>")[0]).strip()


def screenshot(page: str, width: int, height: int, out: Path, dark: bool = False) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "frame.html"
        file.write_text(framed(page, width, height), encoding="utf-8")
        night = ["--blink-settings=preferredColorScheme=0"] if dark else []
        chromium(file.as_uri(), f"--screenshot={out.absolute()}", *night, width=width, height=height)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=2000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dark", action="store_true")
    asked = parser.parse_args()
    screenshot(asked.page.read_text(encoding="utf-8"), asked.width, asked.height, asked.out, asked.dark)
