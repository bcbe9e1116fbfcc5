"""Look at the data before any network does: what is in it, and what that means for training.

python initial_data_analysis.py
"""

from pyimagesearch import console


def parse():
    parser = console.Parser(__doc__)
    parser.add_images_flag()
    parser.add_data_flags()
    return parser.parse_args()


def main():
    args = parse()
    console.check_folder(args.images)

    # The libraries are imported where they are first needed: a mistake in a flag or a file is told at once.
    import numpy as np

    from pyimagesearch import datasets, plots, preprocessing

    names = datasets.CLASS_NAMES
    (images, labels), (test_images, test_labels) = datasets.load(args.data_dir, args.any_data)

    print("\n1. Shapes, types and ranges")
    print(preprocessing.describe("training pictures", images))
    print(preprocessing.describe("training labels", labels))
    print(preprocessing.describe("test pictures", test_images))
    print(preprocessing.describe("test labels", test_labels))
    print("  A picture is 28 x 28 bytes, without the channel axis that a convolution expects: it has to be reshaped.")
    print(f"  As bytes the training pictures take {images.nbytes / 1e6:.0f} MB; as 32-bit floats they would take four")
    print("  times as much, so a picture becomes floats only when its batch is due.")

    print("\n2. Classes")
    print(f"  {'':<12} {'training':>9} {'test':>7}")
    for number, name in enumerate(names):
        print(f"  {name:<12} {(labels == number).sum():>9,} {(test_labels == number).sum():>7,}")
    counts = np.bincount(labels, minlength=len(names))
    if counts.min() == counts.max():
        print("  All classes are equally frequent: guessing is right in 10% of cases, accuracy is a fair measure,")
        print("  and no class needs a weight.")
    else:
        print("  The classes are not equally frequent: a high accuracy may hide a class that is never recognised.")

    print("\n3. Pixels of the training pictures")
    print(f"  mean {images.mean():.2f}, standard deviation {images.std():.2f} (of 255)")
    print("  Networks learn best from small numbers around the same size: pixels are divided by 255, to 0.0 to 1.0,")
    print(f"  where the mean is {images.mean() / 255:.4f} and the standard deviation {images.std() / 255:.4f}.")
    print(f"  share of zero pixels: {(images == 0).mean():.1%}")
    print("  They are the background: garments are bright on black. A photo with a white background looks to the")
    print("  network like nothing that it has ever seen.")

    plots.samples(images, labels, names, args.images / "samples.png")
    print(f"\ndrawn: {args.images / 'samples.png'}, ten pictures of each class. Could you tell a shirt from a coat?")


if __name__ == "__main__":
    console.run(main)
