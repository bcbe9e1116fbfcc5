"""Train a small convolutional network on Fashion-MNIST; save it as fashion_model.h5 and plot how it learned.

    python fashion_mnist.py                     the default recipe, a few minutes on two cores
    python fashion_mnist.py --recipe classic    what the well-known tutorials train; or best, the most accurate
    python fashion_mnist.py --limit 2000        a quick trial on the first 2,000 pictures
    python fashion_mnist.py --resume            go on with a training that was stopped

The test pictures are not read here: fashion_mnist_loaded.py uses them once, at the end.
"""

import dataclasses
from pathlib import Path

from pyimagesearch import files
from pyimagesearch.cli import libraries
from pyimagesearch.cli.arguments import Parser, number
from pyimagesearch.cli.run import run
from pyimagesearch.recipes import RECIPES
from pyimagesearch.training.processes import first_process, several_processes


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument("--recipe", choices=RECIPES, default="fast", help="how to train (default: fast)")
    parser.add_argument("--epochs", type=number(int, 1, 10_000), metavar="N", help="instead of the recipe's")
    parser.add_argument("--batch-size", type=number(int, 1, 60_000), metavar="N", help="instead of the recipe's")
    parser.add_argument(
        "--learning-rate", type=number(float, 0, 1e6, above_low=True), metavar="RATE", help="instead of the recipe's"
    )
    parser.add_argument("--seed", type=number(int, 0, 2**32 - 1), default=42, help="of all chance (default: 42)")
    parser.add_argument("--limit", type=number(int, 240, 60_000), metavar="N", help="use the first N pictures only")
    parser.add_argument("--model", type=Path, default=Path("fashion_model.h5"), help="where to save the network")
    parser.add_argument("--resume", action="store_true", help="go on with the training that was stopped")
    parser.add_images_flag()
    parser.add_data_flags()
    args = parser.parse_args(arguments)
    if args.model.suffix not in (".h5", ".hdf5"):
        parser.error(f"argument --model: {args.model} must end in .h5 (or .hdf5), or Keras cannot tell its format")
    return args


def main(arguments=()):
    args = parse(arguments)
    files.check_target(args.model)
    files.check_folder(args.images)

    # The libraries are imported where they are first needed: a mistake in a flag or a file is told at once.
    from pyimagesearch.training import checkpoints

    if several_processes():  # meet first: whatever fails later ends all of them
        with libraries.quiet():
            from pyimagesearch.training import devices
        devices.meet()
    folder = checkpoints.folder_of(args.model)
    with checkpoints.locked(folder):
        checkpoints.announce(folder, args.resume)
        train_and_save(args, folder)
        checkpoints.remove(folder)


def train_and_save(args, folder):
    from pyimagesearch.data import loading as datasets
    from pyimagesearch.data import preparation as preprocessing
    from pyimagesearch.training import checkpoints

    images, labels = datasets.load_part("train", args.data_dir, args.any_data)
    images, labels = images[: args.limit], labels[: args.limit]

    print("preparing the data:")
    print(preprocessing.describe("pictures", images))
    images = preprocessing.reshape(images)
    print(preprocessing.describe("with a channel axis", images))
    training, validation = preprocessing.split(images, labels, args.seed)
    print(preprocessing.describe("to train on", training[0]))
    print(preprocessing.describe("to validate on", validation[0]))
    print(preprocessing.describe("scaled, batch by batch", preprocessing.scale(training[0][:1000])))

    changes = {name: vars(args)[name] for name in ("epochs", "batch_size", "learning_rate") if vars(args)[name]}
    recipe = dataclasses.replace(RECIPES[args.recipe], **changes)
    with libraries.quiet():
        from pyimagesearch import minivggnet
        from pyimagesearch.evaluation import metrics as evaluation
        from pyimagesearch.figures import plots
        from pyimagesearch.model_files import saving
        from pyimagesearch.training import devices
        from pyimagesearch.training.train import sampled_rates, train

        found = devices.use_all()
    recipe = dataclasses.replace(recipe, bfloat16=recipe.bfloat16 and devices.fast_bfloat16())
    found += ", in bfloat16" if recipe.bfloat16 else ""
    print(f"training by the recipe {args.recipe!r} (epochs: {recipe.epochs}, batches: {recipe.batch_size}) on {found}")
    if recipe.cutmix:
        print("(mixed pictures are harder: the accuracy on them, in training, stays below that on validation pictures)")
    made_by = {"recipe": args.recipe, **dataclasses.asdict(recipe), "seed": args.seed, "versions": saving.versions()}
    facts = {"data": checkpoints.fingerprint(images, labels), **made_by}
    classes = len(datasets.CLASS_NAMES)
    model, history = train(recipe, training, validation, classes, args.seed, folder, facts, args.resume)
    if not first_process():
        return
    # Networks are surer, or less sure, than they are right; a temperature mends that, fitted on held-out pictures.
    temperature = evaluation.fit_temperature(evaluation.predict(model, validation[0]), validation[1])

    record = {
        **made_by,
        "training_pictures": len(training[1]),
        "validation_pictures": len(validation[1]),
        "genuine_data": not args.any_data,
        "validation_accuracy": history["val_accuracy"][-1],
        "training_seconds": round(sum(history["seconds"]), 1),
        "temperature": temperature,
        "input_range": saving.INPUT_RANGE,
        "class_names": datasets.CLASS_NAMES,
    }
    saving.save(model, args.model, record)
    plots.training_curves(history, sampled_rates(recipe, 200), recipe, args.images / "plot.png")
    plots.network(minivggnet.structure(model), args.images / "minivggnet.png")
    plots.filters(model.layers[0].get_weights()[0], args.images / "filters.png")
    answers = minivggnet.answers(model, preprocessing.scale(validation[0][0]))
    plots.feature_maps(validation[0][0], answers, args.images / "feature_maps.png")

    print(f"validation accuracy: {history['val_accuracy'][-1]:.2%} of {len(validation[1]):,} held-out pictures")
    print(f"saved {args.model}, trained in {record['training_seconds']:.0f} s")
    print(f"drawn in {args.images}: plot, minivggnet, filters, feature_maps (.png)")
    print(f"now evaluate it on the test pictures: python fashion_mnist_loaded.py --model {args.model}")


if __name__ == "__main__":
    run(main)
