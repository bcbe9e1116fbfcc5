"""Look at the data before any network does: what is in it, and what that means
for training.

python initial_data_analysis.py                     about a minute
python initial_data_analysis.py --csv suspects.csv  also list doubtful labels
python initial_data_analysis.py --model fashion_model.h5
                          judge the labels by the features of a trained network
"""

from pyimagesearch import files, progress
from pyimagesearch.cli import libraries
from pyimagesearch.cli.arguments import Parser, as_path, command
from pyimagesearch.cli.run import run
from pyimagesearch.errors import UserError
from pyimagesearch.progress import say


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument("--csv", type=as_path, metavar="FILE", help="list the labels that look wrong in FILE")
    parser.add_argument("--model", type=as_path, metavar="FILE", help="a network that fashion_mnist.py trained")
    parser.add_images_flag()
    parser.add_data_flags()
    args = parser.parse_args(arguments)
    if args.csv:
        files.check_target(args.csv, stream=True)
    return args


def main(arguments=()):
    """Print and draw what is in the data; `arguments` is a list such as ["--images", "figures"]."""
    args = parse(arguments)
    # Libraries are imported where they are first needed, so that a wrong flag or file is reported at once.
    from pyimagesearch.model_files import reading, saving

    flags = "model", "data_dir", "any_data", "resize", "class_names", "images"
    contents = reading.read(args.model, training=command("fashion_mnist.py", args, *flags)) if args.model else None
    if contents and not saving.is_ours(contents.record):
        raise UserError(f"{args.model} was not made by fashion_mnist.py; --model needs a file that was")

    from pyimagesearch.data import loading
    from pyimagesearch.evaluation import neighbors
    from pyimagesearch.figures import data as figures
    from pyimagesearch.figures import style

    record = contents.record if contents else {}
    data = loading.Data(args.data_dir, args.any_data, args.resize, record.get("pictures"), saving.class_names(record))
    train, test = data.part("train"), data.part("test")
    known = saving.class_names(record)
    names = known if known and not args.class_names else data.class_names(args.class_names, train[1], test[1])
    if len(train[1]) <= neighbors.NEIGHBORS:
        raise UserError(f"the {len(train[1])} training images are too few; use more than {neighbors.NEIGHBORS}")
    if contents:
        for _, labels in (train, test):
            saving.check_labels(args.model, known or loading.CLASS_NAMES, labels)

    describe_images(*train, *test)
    means = describe_classes(*train, test[1], names)
    title("A convolution multiplies 3x3 pixels by the 3x3 weights of a filter, adds, and slides on")
    say("  convolution.png shows one in numbers. Its filter is made by hand; those of a network come from the data.")
    augmented = describe_augmentation(*train, names)
    with progress.bar("comparing each image with all training images"):
        near = neighbors.nearest_neighbors(*neighbors.project(train[0], test[0]))
    describe_baselines(*train, near[0], names)
    if data.genuine and len(names) == 10:
        say("  people: 83.5% on 1,000 test images, majority of three (the dataset's own page)")
    describe_duplicates(train[0], test[0], near)
    suspects, other = describe_labels(args, contents, train, test, near, names)
    suspicious = "suspicious_labels" + ("_by_network" if contents else "")

    drawn = style.save(
        args.images,
        numbers=figures.numbers(train[0][0], names[train[1][0]]),
        samples=figures.samples(*train, names),
        class_means=figures.class_means(means, names),
        convolution=figures.convolution(train[0][0]),
        augmentation=figures.augmentation(augmented),
        **{suspicious: figures.suspicious_labels(train[0], suspects, names, other)},
    )
    title(f"figures: {', '.join(map(str, drawn))}")
    if args.model:
        print(f"next, see why it is wrong:\n  {command('fashion_mnist_loaded.py', args, *flags)} --explain")
    else:
        print(f"next, train a network:\n  {command('fashion_mnist.py', args, *flags)}")


def title(text):
    print()
    say(text)


def describe_images(images, labels, test_images, test_labels):
    from pyimagesearch.data.preparation import describe

    title("An image is 28x28 numbers, from 0 (black) to 255 (white), as in numbers.png; the arrays of all images:")
    print(describe("training images", images), describe("training labels", labels), sep="\n")
    print(describe("test images", test_images), describe("test labels", test_labels), sep="\n")
    black, mean, deviation = (images == 0).mean(), images.mean(), images.std()
    white = "; most are background, so a photo on white is unlike all of them" if black > 0.2 else ""
    say(f"  fraction of zero pixels: {black:.1%}{white}")
    say(f"  training pixels: mean {mean:.2f}, standard deviation {deviation:.2f}")
    say(
        "  Networks learn best from small numbers of similar size: pixels are divided by 255, to 0.0 to 1.0, where the "
        f"mean is {mean / 255:.4f} and the standard deviation {deviation / 255:.4f}."
    )


def describe_classes(images, labels, test_labels, names):
    """Print how many images each class has; return the mean image of each class."""
    import numpy as np

    title("The label of an image is the number of its class")
    counts, test_counts = (np.bincount(part, minlength=len(names)) for part in (labels, test_labels))
    print(f"  {'class':<17} {'training':>9} {'test':>7}")
    for number, name in enumerate(names):
        print(f"  {number:>2} {name:<14} {counts[number]:>9,} {test_counts[number]:>7,}")
    guess = test_counts[counts.argmax()] / len(test_labels)
    say(f"  Guessing one class for all has an accuracy (fraction of correct predictions) of {guess:.0%}.")
    if counts.min() < counts.max():
        say("  The classes are not balanced: a high accuracy may hide a class that is never predicted.")
    own = [images[labels == number] for number in range(len(names))]  # black for a class without images:
    return [part.mean(axis=0) if len(part) else np.zeros(images.shape[1:]) for part in own]


def describe_augmentation(images, labels, names):
    """Print what augmentation does to an image; return what figures.augmentation draws."""
    import numpy as np

    with libraries.quiet():
        from pyimagesearch.data import batches
        from pyimagesearch.training import settings
    from pyimagesearch.figures.style import short
    from pyimagesearch.recipes import RECIPES

    class Most:  # in place of a random generator: mirror, and the largest shift and stretch
        random = staticmethod(np.zeros)
        integers = staticmethod(lambda low, high, size: np.full(size, high - 1))

    pixels, percent = 1, 10  # what is drawn
    pair = [0, int((labels != labels[0]).argmax())]
    image, (own, added) = images[:1, ..., np.newaxis], (short(names[k], 14) for k in labels[pair])
    shifted = batches.shift(image, Most, pixels)
    versions = {
        "mirrored": batches.flip(image, Most),
        f"shifted by {pixels} pixel": shifted,
        f"stretched by {percent}%": batches.stretch(image, Most, percent),
        "all three at once": batches.stretch(batches.flip(shifted, Most), Most, percent),
    }
    changed = {caption: (version != image).mean() for caption, version in versions.items()}
    area, rng = 0, np.random.default_rng(0)
    while not 0.2 < area < 0.4:  # a patch that can be seen well
        mixed, targets = batches.cutmix(images[pair, ..., None], np.eye(2, dtype=np.float32), rng, 1)
        area = targets[0, 1]
    title(f"Augmentation: in training, images are changed at random, and the label stays {own}")
    for name, recipe in RECIPES.items():
        words = [settings.in_words(key, value) for key in settings.augmentations() if (value := getattr(recipe, key))]
        say(f"  the recipe {name}: {', '.join(words) or 'none'}")
    if "data/batches.py" in settings.edited():
        say("  data/batches.py is edited: augmentation.png shows its functions, not how augment() combines them")
    say(f"  CutMix, a patch of another image, mixes the labels: {1 - area:.2f} {own} + {area:.2f} {added}")
    drawn = [("the image", images[0])]
    drawn += [(f"{name}\n{changed[name]:.0%} of pixels differ", one[0, ..., 0]) for name, one in versions.items()]
    drawn += [(f"label:\n{name}", images[k]) for name, k in zip((own, added), pair, strict=True)]
    return [*drawn, (f"{1 - area:.2f} {own}\n+ {area:.2f} {added}", mixed[0, ..., 0])]


def describe_baselines(images, labels, near, names):
    from pyimagesearch.evaluation import baselines, metrics

    title("How hard is it? The accuracy of methods that are not networks")
    for name, how, predicted, truth in baselines.baselines(images, labels, near):
        pairs = metrics.most_confused(predicted, truth, len(names))
        confused = "; ".join(f"{names[one]} and {names[other]}" for _, one, other in pairs)
        say(f"  {name}: {(predicted == truth).mean():.1%} {how}; most confused: {confused or 'none'}")


def describe_duplicates(images, test_images, near):
    from pyimagesearch.evaluation import neighbors

    title("Duplicates")
    for others, words, found in zip(
        (images, test_images), ("within the training", "between training and test"), near, strict=True
    ):
        exact, close = neighbors.duplicates(images, others, found)
        say(f"  {words} images: {len(exact):,} equal pairs, {len(close):,} nearly equal")
    known = len({index for _, index in exact + close})
    say(f"  {known} of the {len(test_images):,} test images have such a twin, which a network may have memorized.")


def describe_labels(args, contents, train, test, near, names):
    """Print which labels look wrong; return the training images among them, the worst first, and what is suspected."""
    import numpy as np

    from pyimagesearch.evaluation import label_errors

    title("Labels that look wrong: all ten nearest training images belong to one other class")
    suspects = label_errors.suspects(train[1], test[1], near, len(names))
    for part, total in (("train", len(train[1])), ("test", len(test[1]))):
        unanimous = sum(suspect.score == 1 for suspect in suspects if suspect.part == part)
        say(f"  {part}: {unanimous:,} of {total:,} images")
    say("  Not all of these labels are wrong, some images are only unusual; but nobody should expect 100%.")
    if contents:
        from pyimagesearch.data import preparation

        with libraries.quiet():
            from pyimagesearch.evaluation import predict
            from pyimagesearch.model_files import building, saving
        model = building.build(contents)
        with progress.bar("looking at the images with the network"):
            features = predict.outputs(predict.hidden(model), preparation.reshape(train[0]))
            predicted = predict.predict(model, preparation.reshape(test[0]))
            learned = label_errors.network_probabilities(features, train[1], len(names))
        disputed = [suspect for suspect in suspects if suspect.part == "test" and suspect.score == 1]
        places, answers = [suspect.index for suspect in disputed], predicted.argmax(axis=1)
        as_neighbors = sum(answers[suspect.index] == suspect.other for suspect in disputed)
        right = answers == test[1]
        say(f"  {args.model}: {saving.describe(contents.record)}")
        say(
            f"  {args.model}: test accuracy {right.mean():.2%}, {(~right).sum():,} mistakes, of which "
            f"{(~right[places]).sum()} on these {len(places)} images (for {as_neighbors} it predicts the class of the "
            "neighbors)."
        )
        say(
            f"  Accuracy without these images: {np.delete(right, places).mean():.2%}. The network helped to choose "
            "none of them, neighbors did. But what misleads neighbors may mislead a network too."
        )
        probabilities = learned, predicted[:, : len(names)]
        suspects = label_errors.suspects(train[1], test[1], near, len(names), probabilities)
    if args.csv:
        label_errors.write_csv(suspects, names, args.csv)
        print(f"  written: {args.csv}")
    other = "the class that the network's features suggest" if contents else "the class of their nearest neighbors"
    return [suspect for suspect in suspects if suspect.part == "train"], other


if __name__ == "__main__":
    run(main)
