"""Which layers may be built: Keras's own, without those that run code or read files. Needs Keras."""

import functools
import inspect

import keras

from pyimagesearch.model_files.checks import REFUSED

# Arguments by which a layer is given code, a file, or a list of words.
CODE_ARGUMENTS = {"call_fn", "filepath", "fn", "function", "init_fn", "module", "vocabulary"}


@functools.cache
def layers():
    """Return {name: class} of the layers in keras.layers that compute, and nothing else."""
    kept = {}
    for name, kind in vars(keras.layers).items():
        if inspect.isclass(kind) and issubclass(kind, keras.layers.Layer) and _computes(kind):
            kept |= {name: kind, kind.__name__: kind}  # GroupQueryAttention is the class GroupedQueryAttention
    return kept


def _computes(kind):
    """Return whether a class is given nothing but numbers and names."""
    arguments = {*inspect.signature(kind.__init__).parameters, *inspect.signature(kind.call).parameters}
    abstract = kind in (keras.layers.Layer, keras.layers.Wrapper)
    return not abstract and kind.__name__ not in REFUSED and not arguments & CODE_ARGUMENTS
