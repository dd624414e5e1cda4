"""The border between this program and the code of plugins: whatever happens beyond it comes back as a `PluginError`.
Where plugins must not disturb each other, `guard_with(rr_bench.border.Guarded())` puts a stronger one in its place."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from rr.errors import PluginError, RerankError, summary
from rr.types import Request

Result = TypeVar("Result")
Passing = type[BaseException] | tuple[type[BaseException], ...]


class Border:
    """What is done around code of a plugin."""

    @contextmanager
    def code(self, what: str, passing: Passing, shown: Iterable[Request]) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, passing)):
                raise
            raise PluginError(f"{what}: {summary(error)}") from error

    def in_time(self, who: str, call: Callable[[], Result], factor: float) -> Result:
        """What `call` returns; `who` would be said to hang, `factor` times later than usual."""
        return call()

    def check(self) -> None:
        """Raises RerankError where the user has set something that this border cannot understand."""


_border = Border()


def border() -> Border:
    return _border


def guard_with(other: Border) -> None:
    """Puts another border in the place of this one, for the whole process."""
    global _border
    _border = other


def plugin_code(
    what: str, passing: Passing = RerankError, shown: Iterable[Request] = ()
) -> AbstractContextManager[None]:
    """The block runs code of a plugin, which must not change `shown`. Anything that it raises but Ctrl-C and `passing`
    becomes a PluginError whose line begins with `what`, and is its cause; `SystemExit` and the like too."""
    return _border.code(what, passing, shown)
