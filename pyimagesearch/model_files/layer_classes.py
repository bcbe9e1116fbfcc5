"""Which layers and operations may be built: Keras's own, without those that run code or read files. Needs Keras."""

import functools
import inspect

import keras

from pyimagesearch.model_files.checks import REFUSED

# Arguments by which a layer or an operation is given code, a file, or a list of words.
CODE_ARGUMENTS = {
    "body_fun", "branches", "call_fn", "cond", "f", "filepath", "fn", "fun", "function", "init_fn", "module", "true_fn",
    "vocabulary",
}  # fmt: skip


@functools.cache
def layers():
    """Return {name: class} of the layers in keras.layers that compute, and nothing else."""
    found = {name: kind for name, kind in vars(keras.layers).items() if inspect.isclass(kind)}
    abstract = (keras.layers.Layer, keras.layers.Wrapper)
    kept = {}
    for name, kind in found.items():
        if issubclass(kind, keras.layers.Layer) and kind not in abstract and _computes(kind):
            kept |= {name: kind, kind.__name__: kind}  # GroupQueryAttention is the class GroupedQueryAttention
    return kept


@functools.cache
def operations():
    """Return {name: class} of the operations behind keras.ops, which a functional model can contain (x / 255)."""
    found, left = {}, [keras.Operation]
    while left:
        for kind in left.pop().__subclasses__():
            left.append(kind)
            if kind.__module__.startswith("keras.src.ops.") and _computes(kind):
                found[kind.__name__] = kind
    return found


def _computes(kind):
    """Return whether a class is given nothing but numbers and names."""
    arguments = {*inspect.signature(kind.__init__).parameters, *inspect.signature(kind.call).parameters}
    return kind.__name__ not in REFUSED and not arguments & CODE_ARGUMENTS
