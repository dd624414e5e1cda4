"""What is kept, shared by URL: what is looked for and is not in `$RR_HOME` is fetched from where others have put it.

An object is called as its piece is below `$RR_HOME`. A file carries its checksum. A folder is its files and, last, its
seal with their checksums: without one nobody believes it. All are compared when they are fetched. Caches and locks stay
where they are.
"""

from __future__ import annotations

import json
import logging
import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import Any

from rr.errors import RerankError, summary
from rr.files import DamagedError, atomic_file, atomic_folder, file_sha256, files_below, fingerprint, home, kept
from rr.files.kept import read_json, take_away, with_checksum

FILES, FOLDERS = ("http", "probes", "scores", "weights"), ("checkpoints", "data")
"""The folders of `$RR_HOME` that are shared, by what a piece in them is."""
HOMES = "stores"
"""The folder of `$RR_HOME` with the homes of workers, one a store."""
SEAL, MARKS = ".whole.json", "engine"
WHOLE = ("abfs", "adl", "az", "gcs", "gs", "memory", "oss", "s3", "s3a")
"""Protocols whose objects are there whole or not at all. In others a file gets its name when it is whole."""
PASSWORD = re.compile(r"(?<=//)[^/:@]*:(?!\d+/)[^@]*(?=@)")
MEND = "see that it is there, and that it may be read and written; credentials stand in fsspec's configuration"


class Store:
    """What is shared at `url` of what lies in the folder `home`."""

    def __init__(self, url: str, home: Path) -> None:
        """
        Raises:
            RerankError: it is no URL, it holds a secret, or what its protocol needs is not installed.
        """
        self.url, self._home = url, home.absolute()
        self._fs, root = _opened(url)
        self._root = root.rstrip("/")
        protocols = {self._fs.protocol} if isinstance(self._fs.protocol, str) else {*self._fs.protocol}
        self._puts_whole, self._renames_over = bool(protocols & {*WHOLE}), "file" in protocols
        self._damaged, self._current = set[str](), set[str]()
        """Names: of what is damaged there; and of what this process has made, or knows to be the newest."""

        self.mark = f"{MARKS}/{uuid.uuid4().hex}"
        """The name of what `must_hold` finds in the block of `marked`."""

    @contextmanager
    def marked(self) -> Iterator[None]:
        """
        Raises:
            RerankError: the store cannot be written, or read.
        """
        with self._asked(self.mark):
            if not self._puts_whole:
                self._fs.makedirs(self._root, exist_ok=True)
            self._put(self.mark, lambda at: self._fs.pipe_file(at, self.mark.encode()))
        try:
            self.must_hold(self.mark)
            yield
        finally:
            with suppress(Exception):  # one that is left harms nobody
                self._fs.rm_file(self._at(self.mark))

    def must_hold(self, mark: str) -> None:
        """
        Raises:
            RerankError: there is no such mark: this is another store than where it was put, or it cannot be read.
        """
        with self._asked(mark):
            if self._fs.cat_file(self._at(mark)) != mark.encode():
                raise DamagedError("it is not what was put there")

    def fetch(self, path: Path) -> None:
        """Puts what others have made to where it is looked for now, unless something is there. What is damaged is
        named, and stays away: whoever makes it anew replaces it."""
        name = self._name(path)
        if name is None or name in self._damaged or os.path.lexists(path):
            return
        try:
            with self._asked(name, FileNotFoundError, DamagedError):
                if _is_folder(name):
                    self._fetch_folder(path, name)
                else:
                    with atomic_file(path) as file:
                        self._fs.get_file(self._at(name), str(file))
                        read_json(file)
        except FileNotFoundError:
            self._must_stand()
        except DamagedError as error:
            self._damaged.add(name)
            logging.getLogger("rr").warning("%s in store %s is damaged (%s); it is made anew", name, self.url, error)

    def keep(self, path: Path) -> None:
        """What was made here is found by others from now on, in place of what was there."""
        if (name := self._name(path)) is not None:
            self._keep(path, name)

    def offer(self, path: Path, name: str = "") -> None:
        """As `keep`, unless it is there. `name`: of a folder that is called otherwise here."""
        wanted = name or self._name(path)
        if wanted is None:
            return
        if not _is_folder(wanted):
            try:
                read_json(path)
            except (DamagedError, OSError):  # which is named when it is read
                return
        with self._asked(wanted):
            there = self._has(path, wanted) if _is_folder(wanted) else self._fs.exists(self._at(wanted))
        if not there:
            self._keep(path, wanted)

    def renew(self, path: Path) -> None:
        """Others have made it anew: what lies here is taken away, unless it is that; a look for it fetches it."""
        name = self._name(path)
        if name is None or name in self._current:
            return
        self._current.add(name)
        if not _is_folder(name):
            path.unlink(missing_ok=True)
            return
        with self._asked(name):
            if not self._has(path, name):
                take_away(path)

    def _name(self, path: Path) -> str | None:
        """None for what is not shared: a cache, what is not whole yet, and what lies in the home of a training."""
        whole = path.absolute()
        parts = whole.relative_to(self._home).parts if whole.is_relative_to(self._home) else ()
        shared = len(parts) > 1 and parts[0] in (*FILES, *FOLDERS) and not any(part.startswith(".") for part in parts)
        return "/".join(parts) if shared else None

    def _keep(self, path: Path, name: str) -> None:
        with self._asked(name):
            self._must_stand()
            if _is_folder(name):
                self._keep_folder(path, name)
            else:
                self._put(name, partial(self._fs.put_file, str(path)))
        self._damaged.discard(name)
        self._current.add(name)

    def _keep_folder(self, folder: Path, name: str) -> None:
        with suppress(FileNotFoundError):  # half the old one and half the new one is believed by nobody
            self._fs.rm_file(self._at(f"{name}/{SEAL}"))
        sums = _sums(folder)
        for inside in sums:
            self._put(f"{name}/{inside}", partial(self._fs.put_file, str(folder / inside)))
        seal = json.dumps(with_checksum({"key": name, "content": sums})).encode()
        self._put(f"{name}/{SEAL}", lambda at: self._fs.pipe_file(at, seal))

    def _put(self, name: str, write: Callable[[str], Any]) -> None:
        at = self._at(name)
        if self._puts_whole:
            write(at)
            return
        place, _, last = at.rpartition("/")
        self._fs.makedirs(place, exist_ok=True)
        temporary = f"{place}/.{last}.{uuid.uuid4().hex}"
        write(temporary)
        if not self._renames_over:
            with suppress(FileNotFoundError):
                self._fs.rm_file(at)
        self._fs.mv(temporary, at)

    def _fetch_folder(self, path: Path, name: str) -> None:
        """
        Raises:
            FileNotFoundError: there is none that is whole.
            DamagedError: a file is not what the seal says, or would lie somewhere else.
        """
        sums = self._sealed(name)
        with atomic_folder(path) as folder:
            for inside, sha256 in sums.items():
                file = folder / inside
                file.parent.mkdir(parents=True, exist_ok=True)
                try:
                    self._fs.get_file(self._at(f"{name}/{inside}"), str(file))
                except FileNotFoundError as error:
                    raise DamagedError(f"{inside} is missing") from error
                if file_sha256(file) != sha256:
                    raise DamagedError(f"{inside} is not the file that was written")

    def _sealed(self, name: str) -> dict[str, str]:
        """The checksums of a folder's files. Raises as `_fetch_folder`."""
        with NamedTemporaryFile() as file:
            file.write(self._fs.cat_file(self._at(f"{name}/{SEAL}")))
            file.flush()
            sums: dict[str, str] = read_json(Path(file.name), name)["content"]
        for inside in sums:
            if PurePosixPath(inside).is_absolute() or ".." in PurePosixPath(inside).parts or "\0" in inside:
                raise DamagedError(f"{inside!a} would lie outside the folder")
        return sums

    def _has(self, folder: Path, name: str) -> bool:
        """Whether this very folder is there."""
        try:
            return self._sealed(name) == _sums(folder)
        except (FileNotFoundError, DamagedError):
            return False

    def _must_stand(self) -> None:
        """Raises RerankError: its folder is gone, or mounted no more, which is no empty store."""
        with self._asked("its folder"):
            if not self._puts_whole and not self._fs.isdir(self._root):
                raise FileNotFoundError(self._root)

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _asked(self, what: str, *passing: type[Exception]) -> Iterator[None]:
        """What goes wrong in the block, but for `passing`, is told as a fault of the store."""
        try:
            yield
        except Exception as error:  # of whatever package the protocol has
            if isinstance(error, (RerankError, *passing)):
                raise
            raise RerankError(f"store {self.url} failed at {what} ({summary(error)}); {MEND}") from error


@contextmanager
def shared(url: str | None) -> Iterator[Store | None]:
    """In the block what is made here is kept in the store, too, and what is missing is fetched from there. No URL: no
    store.

    Raises:
        RerankError: as `Store` and `Store.marked`.
    """
    if url is None:
        yield None
        return
    store = Store(url, home())
    with store.marked():
        before, kept.elsewhere = kept.elsewhere, store
        try:
            yield store
        finally:
            kept.elsewhere = before


def shared_from_now_on(url: str, mark: str) -> None:
    """As `shared`, in a worker, until it ends: its home is a folder of this machine's own, which workers of one store
    have together.

    Raises:
        RerankError: as `Store` and `Store.must_hold`.
    """
    folder = home().absolute() / HOMES / fingerprint(url)[:16]
    store = Store(url, folder)
    store.must_hold(mark)
    os.environ["RR_HOME"], kept.elsewhere = str(folder), store


def _opened(url: str) -> tuple[Any, str]:
    """The file system, and where on it."""
    shown = PASSWORD.sub("***", url.partition("?")[0]) + "?***" * ("?" in url)
    if shown != url:
        raise RerankError(f"store {shown}: put what stands at *** into fsspec's configuration, not into the URL")
    protocol, _, place = url.partition("://")
    if not place or (protocol in ("file", "local") and not place.startswith("/")):
        raise RerankError(f"store {url!r} is no whole URL; say file:///FOLDER, s3://BUCKET/FOLDER or the like")
    if find_spec("fsspec") is None:
        raise RerankError("a store needs fsspec; install with: pip install 'rerank-registry[ray]'")
    try:
        found, root = import_module("fsspec.core").url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise RerankError(
            f"store {url} needs what is not installed ({error}); install it here and on workers"
        ) from error
    except Exception as error:  # of whatever package the protocol has
        raise RerankError(f"store {url} cannot be opened ({summary(error)}); {MEND}") from error
    return found, str(root)


def _is_folder(name: str) -> bool:
    return name.partition("/")[0] in FOLDERS


def _sums(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): file_sha256(file) for file in files_below(folder)}
