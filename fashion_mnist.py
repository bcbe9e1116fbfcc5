"""Train a small convolutional network on Fashion-MNIST, plot how it learned,
and save it as fashion_model.h5.

python fashion_mnist.py                    the default recipe, a few minutes
python fashion_mnist.py --recipe best      the most accurate one, 60 epochs
python fashion_mnist.py --resume           continue a run that was stopped

A quick trial that replaces nothing:
python fashion_mnist.py --limit 2000 --model trial.h5 --images trial

The test images are not read here. They only measure, in
fashion_mnist_loaded.py, and no choice is made on them.
"""

import dataclasses

from pyimagesearch import files
from pyimagesearch.cli import libraries
from pyimagesearch.cli.arguments import Parser, as_path, command, number
from pyimagesearch.cli.run import run
from pyimagesearch.progress import say
from pyimagesearch.recipes import RECIPES


def parse(arguments):
    parser = Parser(__doc__)
    default = "fast" if "fast" in RECIPES else [*RECIPES][0]
    parser.add_argument("--recipe", choices=RECIPES, default=default, help="how to train (default: %(default)s)")
    parser.add_argument(
        "--epochs", type=number(int, 1, 10_000), metavar="N", help="override the recipe's number of epochs"
    )
    parser.add_argument("--batch-size", type=number(int, 1, 60_000), metavar="N", help="override the recipe's")
    rate = number(float, 0, 1e6, above_low=True)
    parser.add_argument("--learning-rate", type=rate, metavar="RATE", help="override the recipe's")
    parser.add_argument("--seed", type=number(int, 0, 2**32 - 1), default=42, help="of all randomness (default: 42)")
    parser.add_argument("--limit", type=number(int, 240, 60_000), metavar="N", help="use N images, of all classes")
    parser.add_argument("--model", type=as_path, default="fashion_model.h5", help="file to save the network in")
    parser.add_argument(
        "--start-from", type=as_path, metavar="FILE", help="start from the weights of another network (few images)"
    )
    parser.add_argument("--no-flip", action="store_true", help="do not mirror training images (for digits, letters)")
    parser.add_argument("--resume", action="store_true", help="go on with the training that was stopped, if any")
    parser.add_images_flag()
    parser.add_data_flags()
    args = parser.parse_args(arguments)
    if args.model.suffix not in (".h5", ".hdf5", ".keras"):
        parser.error(f"argument --model: {args.model} must end in .h5, .hdf5 or .keras, which tells Keras the format")
    files.check_target(args.model)
    return args


def main(arguments=()):
    """Train, save and plot; `arguments` is a list such as ["--limit", "2000"]. Returns (model, history)."""
    args = parse(arguments)
    # Libraries are imported where they are first needed, so that a wrong flag or file is reported at once.
    from pyimagesearch.training import checkpoints

    with checkpoints.locked(args.model) as checkpoint:
        return train_and_save(args, checkpoint)


def train_and_save(args, checkpoint):
    from pyimagesearch.data import loading, preparation
    from pyimagesearch.model_files import reading

    other = reading.read(args.start_from) if args.start_from else None

    # Load the data: 60,000 gray images of 28x28 pixels, and the number of the class of each.
    data = loading.Data(args.data_dir, args.any_data, args.resize)
    images, labels = data.part("train")
    class_names = data.class_names(args.class_names, labels)
    if args.limit:
        chosen = preparation.sample(labels, args.limit)
        images, labels = images[chosen], labels[chosen]
    print("preparing the data (shape, type and range of the arrays):")
    print(preparation.describe("images", images))

    # Reshape: a convolution expects a channel axis, which gray images lack.
    images = preparation.reshape(images)
    print(preparation.describe("with a channel axis", images))

    # Split: the validation images are not trained on; they show how well the network does on images that are new to it.
    training, validation = preparation.split(images, labels, args.seed)
    print(preparation.describe("for training", training[0]))
    print(preparation.describe("for validation", validation[0]))

    # Start Keras, and choose how to train.
    with libraries.quiet():
        import keras  # noqa: F401  (for callbacks of your own, below)

        from pyimagesearch.data.batches import scale
        from pyimagesearch.evaluation import calibration, layers, predict
        from pyimagesearch.model_files import saving
        from pyimagesearch.training import callbacks, checkpoints, devices, network, settings, train

        device = devices.describe()
    flags = {name: vars(args)[name] for name in ("epochs", "batch_size", "learning_rate") if vars(args)[name]}
    recipe = settings.choose(args.recipe, flags | ({"flip": False} if args.no_flip else {}), len(training[1]))
    print(preparation.describe("one batch, scaled", scale(training[0][: recipe.batch_size])))
    say(f"training with the recipe {args.recipe!r} on {device}")

    # Build the network, and say what is trained.
    model, recipe = network.adapt(recipe, len(class_names), args.seed)  # says where recipe and minivggnet.py disagree
    if other:
        recipe = network.start_from(model, recipe, other, args.start_from)
    filters = callbacks.Stages(layers.first_filters)
    yours = []  # callbacks, such as keras.callbacks.EarlyStopping("val_cross_entropy"); what learns is their self.model
    values = settings.settings(recipe, recipe.epochs * max(1, len(training[1]) // recipe.batch_size), yours)
    settings.announce(args.recipe, values, args.learning_rate)

    # Train it, unless that was done before.
    made_by = {"recipe": args.recipe, "callbacks": "", **values, "seed": args.seed, **saving.environment()}
    made_by |= {"class_names": saving.checked_names(class_names, labels)}
    made_by |= {"data": checkpoints.fingerprint(images, labels), "layers": network.fingerprint(model)}
    made_by |= {"code": settings.edited()} | ({"start_from": str(args.start_from)} if other else {})
    if args.resume and not checkpoint.exists() and (trained := settings.trained(args.model, made_by)):
        print(f"this training has ended, and its network is in {args.model}: nothing to resume")
        return trained, {}
    if args.model.exists():
        older = saving.describe_file(args.model)
        say(f"{args.model} will be replaced at the end; to keep it, stop now and add --model. It is {older}")
    kept = checkpoints.Checkpoints(checkpoint, made_by, args.resume)
    more = [*yours, filters]
    model, history = train.train(recipe, training, validation, len(class_names), args.seed, kept, model, more)

    # Save it, with a record of what made it. The temperature, fitted on validation data, calibrates its probabilities.
    probabilities = predict.predict(model, validation[0])
    accuracy = float((probabilities.argmax(axis=1) == validation[1]).mean())
    record = {
        **made_by,
        **settings.ended(args.recipe, values, history),
        "training_images": len(training[1]),
        "validation_images": len(validation[1]),
        "genuine_data": data.genuine and data.holds(training[0]),
        "pictures": data.conversion,
        "picture_names": data.pictures.digest() if data.pictures else "",
        "validation_accuracy": accuracy,
        "training_seconds": round(sum(history["seconds"]), 1),
        "temperature": calibration.fit_temperature(probabilities, validation[1]),
        "input_range": saving.INPUT_RANGE,
    }
    saving.save(model, args.model, record)
    kept.remove()
    say(f"validation accuracy: {accuracy:.2%} of {len(validation[1]):,} images that were not trained on")
    print(f"saved: {args.model}, after {record['training_seconds']:.0f} s of training")

    # Plot what happened, and what the network is like inside.
    recipe = dataclasses.replace(recipe, schedule=record["schedule"])
    example = validation[0][0], class_names[validation[1][0]]
    # Callbacks may have brought back earlier weights, and an optimizer averaged ones; 16 bits alone change less.
    saved = accuracy if yours or abs(accuracy - history["val_accuracy"][-1]) > 0.02 else None
    draw(args.images, history, saved, recipe, model, filters.seen, example, probabilities[0], class_names)
    if not network.why_not_loaded(model):
        print("next, evaluate it on the test images:")
        print(f"  {command('fashion_mnist_loaded.py', args, 'model', 'data_dir', 'any_data', 'images')}")
    return model, history


def draw(folder, history, saved, recipe, model, filters, example, probabilities, class_names):
    """Draw the curves, the layers, and what they make of an example, (uint8 (28, 28, 1), its class); say where."""
    from pyimagesearch.data.batches import scale
    from pyimagesearch.evaluation import layers
    from pyimagesearch.figures import network as drawings
    from pyimagesearch.figures import style
    from pyimagesearch.figures import training as curves

    figures = {
        "plot": curves.curves(history, recipe, len(class_names), saved),
        "minivggnet": drawings.diagram(layers.layer_table(model)),
    }
    maps, last = layers.activations(model, scale(example[0])), layers.first_filters(model)
    if last is not None:
        figures["filters"] = drawings.filters(filters)
    if maps:
        figures["feature_maps"] = drawings.feature_maps(*example, maps, last, probabilities, class_names)
    for other in {"filters", "feature_maps"} - figures.keys():
        files.remove(folder / f"{other}.png")
    say(f"figures: {', '.join(map(str, style.save(folder, **figures)))}")
    if not maps:
        print("  no figure of feature_maps and filters: the network has no 2D convolution")
    elif last is None:
        print("  no figure of filters: the first convolution is not a Conv2D")


if __name__ == "__main__":
    run(main)
