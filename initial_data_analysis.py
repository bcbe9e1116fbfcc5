"""Look at the data before any network does: what is in it, and what that means for training.

python initial_data_analysis.py                           about a minute on two cores
python initial_data_analysis.py --csv suspects.csv        also list the 100 + 100 labels that look most wrong
python initial_data_analysis.py --model fashion_model.h5  judge the labels by the features of a trained network
"""

from pathlib import Path

from pyimagesearch import files
from pyimagesearch.cli import libraries
from pyimagesearch.cli.arguments import Parser
from pyimagesearch.cli.run import run
from pyimagesearch.errors import UserError


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="list the labels that look wrong in FILE")
    parser.add_argument("--model", type=Path, metavar="FILE", help="a network that fashion_mnist.py trained")
    parser.add_images_flag()
    parser.add_data_flags()
    args = parser.parse_args(arguments)
    files.check_folder(args.images)
    if args.csv:
        files.check_target(args.csv, stream=True)
    return args


def main(arguments=()):
    """Print and draw what is in the data; `arguments` is a list such as ["--images", "figures"]."""
    args = parse(arguments)
    # Libraries are imported where they are first needed, so that a wrong flag or file is reported at once.
    from pyimagesearch.model_files import reading, saving

    contents = reading.read(args.model) if args.model else None
    if contents and not saving.is_ours(contents.record):
        raise UserError(f"{args.model} was not made by fashion_mnist.py; --model needs a file that was")

    from pyimagesearch.data import loading
    from pyimagesearch.evaluation import neighbors
    from pyimagesearch.figures import data as figures
    from pyimagesearch.figures import style

    train, test = loading.load(args.data_dir, args.any_data)
    names = loading.class_names(args.class_names, train[1], test[1])
    describe_shapes(train, test, names)
    means = describe_pixels(train, test, names)
    projected, test_projected = neighbors.project(train[0], test[0])
    near = neighbors.nearest_neighbors(projected, test_projected)
    describe_baselines(*train, near, names)
    places = describe_map(projected)
    describe_duplicates(train, test, near)
    suspects = describe_labels(args, contents, train, test, near, names)

    shown = len(places)
    drawn = style.save(
        args.images,
        samples=figures.samples(*train, names),
        class_means=figures.class_means(*means, names),
        pixels=figures.pixels(train[0]),
        map=figures.map_of_images(places, train[0][:shown], train[1][:shown], names),
        suspicious_labels=figures.suspicious_labels(train[0], suspects, names),
    )
    print(f"\nfigures: {', '.join(map(str, drawn))}")


def describe_shapes(train, test, names):
    import numpy as np

    from pyimagesearch.data import preparation

    print("\n1. Shapes, dtypes, classes")
    for name, array in zip(
        ("training images", "training labels", "test images", "test labels"), (*train, *test), strict=True
    ):
        print(preparation.describe(name, array))
    print("  An image is 28x28 bytes, without the channel axis (1 for gray) that Keras's Conv2D expects.")
    print(f"  As bytes the training images take {train[0].nbytes / 1e6:.0f} MB of memory; as 32-bit floats they would")
    print("  take four times as much, so images become floats batch by batch.")
    print(f"  {'class':<14} {'training':>9} {'test':>7}")
    counts, test_counts = (np.bincount(labels, minlength=len(names)) for labels in (train[1], test[1]))
    for name, count, test_count in zip(names, counts, test_counts, strict=True):
        print(f"  {name:<14} {count:>9,} {test_count:>7,}")
    if counts.min() == counts.max():
        print(f"  The classes are balanced: guessing has an accuracy of {1 / len(names):.0%}, accuracy is a fair")
        print("  measure, and no class weights are needed.")
    else:
        print("  The classes are not balanced: a high accuracy may hide a class that is never predicted.")


def describe_pixels(train, test, names):
    import numpy as np

    from pyimagesearch.evaluation import baselines

    images, labels = train
    print("\n2. Pixels")
    print(f"  training: mean {images.mean():.2f}, standard deviation {images.std():.2f} (of 255);", end=" ")
    print(f"test: mean {test[0].mean():.2f}, standard deviation {test[0].std():.2f}")
    print("  Networks learn best from small numbers of similar size: pixels are divided by 255, to 0.0 to 1.0,")
    print(f"  where the mean is {images.mean() / 255:.4f} and the standard deviation {images.std() / 255:.4f}.")
    print(f"  fraction of zero pixels: {(images == 0).mean():.1%}")
    print("  They are the background: a photo with a white background is unlike any training image.")
    means, typical, deviations = baselines.class_statistics(images, labels, len(names))
    spread = {names[k]: float(np.sqrt((deviations[k] ** 2).mean())) for k in np.unique(labels)}
    print(f"  The images of {max(spread, key=spread.get)} vary most, those of {min(spread, key=spread.get)} least.")
    return means, typical, deviations


def describe_baselines(images, labels, near, names):
    from pyimagesearch.evaluation import baselines, metrics

    print("\n3. How hard is it? The accuracy of methods that are not networks, on training images")
    for name, how, accuracy, predicted, truth in baselines.baselines(images, labels, near.train):
        pairs = metrics.most_confused(predicted, truth, len(names))
        confused = ", ".join(f"{names[one]} / {names[other]}" for _, one, other in pairs)
        print(f"  {name:<37} {accuracy:>6.1%} {how:<28} most confused: {confused or 'none'}")
    print("  People reach 83.5% (the data set's own page). Clothes for the upper body are the hard part.")


def describe_map(projected):
    from pyimagesearch.evaluation import neighbors

    print("\n4. A map (map.png): images that look alike lie together (50 principal components, then t-SNE to two)")
    places = neighbors.embed(projected)
    print(
        "  On the genuine data, trousers, bags and shoes form groups; shirts overlap with T-shirts, pullovers, coats."
    )
    return places


def describe_duplicates(train, test, near):
    from pyimagesearch.evaluation import neighbors

    print("\n5. Duplicates")
    for text, others, found in (
        ("within the training images", train[0], near.train),
        ("between training and test images", test[0], near.test),
    ):
        exact, close = neighbors.duplicates(train[0], others, found)
        print(f"  {text}: {len(exact):,} pairs are equal byte by byte, {len(close):,} more nearly so")
    known = len({index for pairs in (exact, close) for _, index in pairs})
    print(f"  A network may have memorized {known} of the {len(test[1]):,} test images from their twins.")


def describe_labels(args, contents, train, test, near, names):
    """Print which labels look wrong, and return the training images among them, the worst first."""
    import numpy as np

    from pyimagesearch.evaluation import label_errors

    print("\n6. Labels that look wrong: all ten nearest training images belong to one other class")
    suspects = label_errors.suspects(train[1], test[1], near, len(names))
    for part, total in (("train", len(train[1])), ("test", len(test[1]))):
        unanimous = sum(suspect.score == 1 for suspect in suspects if suspect.part == part)
        print(f"  {part}: {unanimous:,} of {total:,} images")
    print(
        "  Not all of these labels are wrong, some images are only unusual; but no network can, or should, reach 100%."
    )
    if contents:
        from pyimagesearch.data import preparation

        with libraries.quiet():
            from pyimagesearch.evaluation import predict
            from pyimagesearch.model_files import building
        model = building.build(contents)
        features = predict.features(model, preparation.reshape(train[0]))
        predicted = predict.predict(model, preparation.reshape(test[0]))
        mistakes = set(np.flatnonzero(predicted.argmax(axis=1) != test[1]).tolist())
        disputed = {suspect.index for suspect in suspects if suspect.part == "test" and suspect.score == 1}
        print(f"  The network makes {len(mistakes):,} mistakes on the test images;", end=" ")
        print(f"{len(mistakes & disputed)} of them are among these {len(disputed)}.")
        probabilities = label_errors.network_probabilities(features, train[1], len(names)), predicted
        suspects = label_errors.suspects(train[1], test[1], near, len(names), probabilities)
    if args.csv:
        label_errors.write_csv(suspects, names, args.csv)
        print(f"  written: {args.csv}")
    return [suspect for suspect in suspects if suspect.part == "train"][:50]


if __name__ == "__main__":
    run(main)
