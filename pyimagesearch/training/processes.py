"""Is this process one of several that train together? Keras's environment variables say so. Keras is not imported."""

import os

OTHERS_ENDED = "another process of this training has ended; see its message, then start all of them again with --resume"


def several_processes():
    """Return whether this process is one of several processes of a training."""
    return any(name.startswith("KERAS_DISTRIBUTION_") for name in os.environ)


def first_process():
    """Return whether this is the process that prints and writes files."""
    return not several_processes() or os.environ.get("KERAS_DISTRIBUTION_PROCESS_ID") == "0"
