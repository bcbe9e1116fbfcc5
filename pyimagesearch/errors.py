"""Errors that a person reads: a mistake of the user or the machine is one sentence, never a traceback."""

import re
import signal
import sys

# What ends a process that should end in order: a scheduler or `kill`, a terminal that closes, a limit of CPU time.
STOP_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGXCPU") if hasattr(signal, name)]


class UserError(Exception):
    """A mistake of the user or the machine. Its text is one sentence: what failed, why, and what to do."""


class Terminated(BaseException):
    """One of STOP_SIGNALS arrived. Like KeyboardInterrupt, it passes through `except Exception`."""

    def __init__(self, message="", number=signal.SIGTERM):
        super().__init__(message)
        self.number = number


def warn(message):
    """Print one line to stderr: something is wrong, and the work goes on."""
    print(printable(message), file=sys.stderr)


def printable(text):
    """Return `text` with "?" for each control character, so that a name in a file cannot send codes to the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def reason(error):
    """Return the system's words for an OSError, such as "No space left on device" or "Permission denied"."""
    return error.strerror or str(error)


def first_line(error):
    """Return the first line of what an exception of a library says, without color codes; else its class."""
    lines = [line.strip() for line in re.sub(r"\x1b\[\d*m", "", str(error)).splitlines()]  # Keras prints reasons bold
    lines = [line for line in lines if line and not line.startswith("Exception encountered")]
    return (lines or [type(error).__name__])[0][:300]
