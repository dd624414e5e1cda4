"""The errors that a user can mend: each message says what is wrong, where, and how to mend it, on one line."""

from difflib import get_close_matches

from rr.registry.expansion import as_written

__all__ = ["DataError", "NoNumberError", "NotApplicableError", "PluginError", "RegistryError", "RerankError"]
__all__ += ["ScoringError", "nearest"]

LONGEST = 1_000  # characters of someone else's message that are shown; all of it stands in the traceback


class RerankError(Exception):
    """Base of every error that `rr` explains to its user; the command line prints it without a traceback. It shows
    paths as they are written, `${VARIABLE}` included."""

    def __str__(self) -> str:
        return as_written(super().__str__())


class DataError(RerankError):
    """A data file or a data set is not what its reader expects."""


class RegistryError(RerankError, ValueError):
    """registry.yaml is malformed, or names something that does not exist; a ValueError, as checks of settings raise."""


class PluginError(RerankError):
    """A plugin could not be imported or registered, or a component of it could not be loaded."""


class ScoringError(RerankError):
    """A scorer or reranker answered with something that cannot be ranked."""


class NoNumberError(RerankError):
    """A loss, or what a model answers, is NaN or infinite."""


class NotApplicableError(RerankError):
    """A component is asked what it cannot have an answer to (the first stage's order where none is shown). In a bench
    its row is skipped, with the reason: that is no failure, and no figure."""


def summary(error: BaseException) -> str:
    """An exception as one line that a terminal can show: `TypeName: message`."""
    try:
        text = " ".join(as_written(str(error)).split())
    except BaseException:  # noqa: BLE001 - a class of someone else's, whose text cannot be had
        text = ""
    text = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
    return f"{type(error).__name__}: {text}".removesuffix(": ")


def nearest(word: str, known: list[str]) -> str:
    """What to append to an error about an unknown name: the nearest known one, or all of them if none is near."""
    folded = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), folded, n=1, cutoff=0.5)
    return f"; did you mean {folded[near[0]]!r}?" if near else f"; known: {', '.join(sorted(known)) or 'none'}"
