"""What a network consists of, layer by layer, and what its convolutions make of one image. Needs Keras."""

import keras

from pyimagesearch.model_files import graphs

CONVOLUTIONS = keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D
POINTWISE = keras.layers.BatchNormalization, keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU
POINTWISE += keras.layers.PReLU, keras.layers.ELU


def layer_table(model):
    """Describe a Keras model with one input, Sequential or Functional, one row for the input and for each layer.

    A dropout layer that drops nothing is left out.

    Returns [(layer, output shape, parameters, inputs)], for example ("Conv2D 3x3, 32 filters", "28 x 28 x 32", 288,
    [0]). inputs: the rows whose outputs the layer takes.
    """
    rows, counted = [("Input", _shape(model.input_shape), 0, [])], set()

    def add(model, before):
        """Add the rows of a model that takes the output of the row `before`. Returns its last row."""
        found, twin = calls(model)
        places = {id(twin.inputs[0]): before}
        for operation, tensors, output in found:
            sources = [places[id(tensor)] for tensor in tensors]
            if isinstance(operation, keras.Model):
                places[id(output)] = add(operation, *sources)
                continue
            if isinstance(operation, keras.layers.Dropout) and not operation.rate:
                places[id(output)] = sources[0]
                continue
            # None in keras.ops.add, and none anew where a layer is called again.
            new = hasattr(operation, "count_params") and operation not in counted
            counted.add(operation)
            places[id(output)] = len(rows)
            rows.append((_name(operation), _shape(output.shape), operation.count_params() if new else 0, sources))
        return places[id(twin.outputs[0])]

    add(model, 0)
    return rows


def activations(model, image):
    """Return the feature maps of each 2D convolution of a Keras model for one image.

    They are taken after the normalization and activation that follow the convolution. image: float32, as the model
    takes it, (28, 28, 1) for MiniVGGNet. Returns [(name, float32 (height, width, filters))], for example
    ("convolution 1: 28 x 28 x 32", array); [] for a network without convolutions.
    """
    return [
        (f"convolution {number}: {_shape(output.shape)}", keras.ops.convert_to_numpy(output)[0])
        for number, output in enumerate(_maps(model, image[None]), 1)
    ]


def _maps(model, inputs):
    """Return the feature maps of each convolution, of models in the model as well, for a batch of inputs."""
    found, twin = calls(model)
    wanted = []  # a convolution or a model in the model; its feature maps, or what the model takes
    for operation, tensors, output in found:
        if isinstance(operation, keras.Model):
            wanted.append((operation, tensors[0]))
        elif isinstance(operation, CONVOLUTIONS):
            following = [call for call in found if any(tensor is output for tensor in call[1])]
            while len(following) == 1 and isinstance(following[0][0], POINTWISE):
                output = following[0][2]
                following = [call for call in found if any(tensor is output for tensor in call[1])]
            wanted.append((operation, output))
    if not wanted:
        return []
    computed = keras.Model(twin.inputs[0], [tensor for _, tensor in wanted])(inputs, training=False)
    maps = []
    for (operation, _), value in zip(wanted, keras.tree.flatten(computed), strict=True):
        maps += _maps(operation, value) if isinstance(operation, keras.Model) else [value]
    return maps


def calls(model, shape=None):
    """Return [(layer or operation, [input tensors], output tensor)] in the order of computation, and a twin of `model`.

    The symbolic tensors are those of the twin, which shares the layers of the model: in the model itself, a layer that
    is used in several models has several inputs and outputs. shape: of the twin's input, if it is not that of `model`,
    which may leave sizes open.
    """
    found = []

    def call(operation, *arguments, **options):
        outputs = operation(*arguments, **options)
        inputs = [x for x in keras.tree.flatten([arguments, options]) if isinstance(x, keras.KerasTensor)]
        found.append((operation, inputs, keras.tree.flatten(outputs)[0]))
        return outputs

    graph = keras.Model(model.inputs, model.outputs)
    start = [keras.Input(shape)] if shape else None
    twin = keras.models.clone_model(graph, start, clone_function=lambda layer: layer, call_function=call)
    return [one for one in found if not isinstance(one[0], keras.layers.InputLayer)], twin


def _name(layer):
    """Return a layer's class and its main choices, such as "Conv2D 3x3, 32 filters"."""
    name, size = type(layer).__name__, getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if size:
        name += f" {'x'.join(map(str, size))}"
    if getattr(layer, "filters", None):
        name += f", {layer.filters} filters"
    if isinstance(layer, keras.layers.Dense):
        name += f" {layer.units}"
    activation = getattr(layer, "activation", None)
    if callable(activation) and activation is not keras.activations.linear:
        name += f", {getattr(activation, '__name__', type(activation).__name__)}"
    return name


def _shape(shape):
    """Return the shape of one image's output, such as "28 x 28 x 32"; "any" for a size that is not fixed."""
    return " x ".join("any" if size is None else str(size) for size in shape[1:])


def first_filters(model):
    """Return the filters of the first convolution, float (rows, columns, channels, filters); None without a Conv2D.

    Other convolutions (DepthwiseConv2D, SeparableConv2D) have filters that do not belong to one feature map each.
    """
    convolution = next((one for one in graphs.every_layer(model) if isinstance(one, CONVOLUTIONS)), None)
    return convolution.get_weights()[0] if isinstance(convolution, keras.layers.Conv2D) else None
