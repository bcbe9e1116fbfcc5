"""Look at the data before any network does: what is in it, and what that means for training.

python initial_data_analysis.py                       about a minute on two cores
python initial_data_analysis.py --csv suspicious.csv  also a list of the 100 + 100 labels that look most wrong
python initial_data_analysis.py --model fashion_model.h5    what the network sees ranks the labels, not the pixels
"""

from pathlib import Path

from pyimagesearch import files
from pyimagesearch.cli.arguments import Parser
from pyimagesearch.cli.run import run


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="list the labels that look wrong in FILE")
    parser.add_argument("--model", type=Path, metavar="FILE", help="a trained network, to ask about the labels")
    parser.add_images_flag()
    parser.add_data_flags()
    return parser.parse_args(arguments)


def main(arguments=()):
    args = parse(arguments)
    files.check_folder(args.images)
    if args.csv:
        files.check_target(args.csv)

    # The libraries are imported where they are first needed: a mistake in a flag or a file is told at once.
    import numpy as np

    from pyimagesearch.data import loading as datasets
    from pyimagesearch.data import preparation as preprocessing
    from pyimagesearch.evaluation import analysis
    from pyimagesearch.figures import plots

    if args.model:
        analysis.check(args.model)

    names = datasets.CLASS_NAMES
    (images, labels), (test_images, test_labels) = datasets.load(args.data_dir, args.any_data)

    print("\n1. Shapes, types, classes")
    print(preprocessing.describe("training pictures", images))
    print(preprocessing.describe("training labels", labels))
    print(preprocessing.describe("test pictures", test_images))
    print(preprocessing.describe("test labels", test_labels))
    print("  A picture is 28 x 28 bytes, without the channel axis that a convolution expects: it has to be reshaped.")
    print(f"  As bytes the training pictures take {images.nbytes / 1e6:.0f} MB; as 32-bit floats they would take four")
    print("  times as much, so a picture becomes floats only when its batch is due.")
    print(f"  {'':<12} {'training':>9} {'test':>7}")
    for number, name in enumerate(names):
        print(f"  {name:<12} {(labels == number).sum():>9,} {(test_labels == number).sum():>7,}")
    counts = np.bincount(labels, minlength=len(names))
    if counts.min() == counts.max():
        print("  All classes are equally frequent: guessing is right in 10% of cases, accuracy is a fair measure,")
        print("  and no class needs a weight.")
    else:
        print("  The classes are not equally frequent: a high accuracy may hide a class that is never recognised.")

    print("\n2. Pixels")
    print(f"  training: mean {images.mean():.2f}, standard deviation {images.std():.2f} (of 255);", end=" ")
    print(f"test: mean {test_images.mean():.2f}, standard deviation {test_images.std():.2f}")
    print("  Networks learn best from small numbers around the same size: pixels are divided by 255, to 0.0 to 1.0,")
    print(f"  where the mean is {images.mean() / 255:.4f} and the standard deviation {images.std() / 255:.4f}.")
    print(f"  share of zero pixels: {(images == 0).mean():.1%}")
    print("  They are the background: a photo with a white one looks to a network like nothing that it has ever seen.")
    means, typical, deviations = analysis.class_pictures(images, labels)
    spread = {name: float(np.sqrt((d**2).mean())) for name, d in zip(names, deviations, strict=True)}
    most, least = max(spread, key=spread.get), min(spread, key=spread.get)
    print(f"  The pictures of the class {most} differ most from each other, those of {least} least.")
    plots.samples(images, labels, names, args.images / "samples.png")
    plots.class_means(means, typical, deviations, names, args.images / "class_means.png")
    plots.pixels(images, args.images / "pixels.png")

    print("\n3. How hard is it? What a network has to beat, measured on training pictures that were held out:")
    projected, test_projected = analysis.project(images, test_images)
    near = analysis.neighbours(projected, test_projected)
    for name, accuracy, seconds, predicted, truth in analysis.baselines(images, labels, near):
        pairs = ", ".join(f"{names[a]}/{names[b]}" for _, a, b in analysis.confused(predicted, truth))
        print(f"  {name:<44} {accuracy:>6.1%}  {seconds:>5.1f} s   takes for each other: {pairs}")
    print("  People reach 83.5% (the data set's own page). The clothes for the upper body are the hard part.")

    print("\n4. A map: pictures that look alike lie together (PCA to 50 numbers, then t-SNE to two)")
    places = analysis.embed(projected)
    shown = len(places)
    plots.map_of_pictures(places, images[:shown], labels[:shown], names, args.images / "map.png")
    print("  Trousers, bags and the three kinds of shoes have land of their own; shirts lie among all the others.")

    print("\n5. Pictures that are there twice")
    for text, ours, others, found in (
        ("within the training pictures", images, images, near.train),
        ("within training and test pictures", images, test_images, near.test),
    ):
        exact, close = analysis.duplicates(ours, others, found)
        print(f"  {text}: {len(exact):,} pairs equal byte by byte, {len(close):,} more that are nearly so")
    in_both = len({test for pairs in (exact, close) for _, test in pairs})
    print(f"  A network may know {in_both} of the {len(test_labels):,} test pictures by heart.")

    print("\n6. Labels that look wrong: most of a picture's ten nearest training pictures are of another class")
    doubtful = analysis.suspicious(labels, test_labels, near)
    for part, total in (("train", len(labels)), ("test", len(test_labels))):
        sure = sum(row.score == 1 for row in doubtful if row.part == part)
        print(f"  {part}: of {total:,} pictures, {sure:,} have ten neighbours that all agree on another class")
    print("  Not all are wrong, some are only unusual; but no network can, or should, be right on 100%.")
    if args.model:
        probabilities = analysis.ask(args.model, images, labels, test_images)
        wrong = set(np.flatnonzero(probabilities[1].argmax(axis=1) != test_labels).tolist())
        hopeless = {row.index for row in doubtful if row.part == "test" and row.score == 1}
        both = len(hopeless & wrong)
        print(f"  The network is wrong on {len(wrong):,} test pictures, {both} of these {len(hopeless)} among them.")
        doubtful = analysis.suspicious(labels, test_labels, near, probabilities)
    worst = [row for row in doubtful if row.part == "train"][:50]
    plots.suspicious_labels(images, worst, names, args.images / "suspicious_labels.png")
    if args.csv:
        analysis.write_csv(doubtful, names, args.csv)
        print(f"  written: {args.csv}")
    print(f"\ndrawn in {args.images}: samples, class_means, pixels, map, suspicious_labels (.png)")


if __name__ == "__main__":
    run(main)
