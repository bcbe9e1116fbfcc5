"""Reload the trained network and measure it on the 10,000 test pictures, which it has never seen.

python fashion_mnist_loaded.py                          fashion_model.h5, made by fashion_mnist.py
python fashion_mnist_loaded.py --json result.json       the same figures for machines
"""

import json
from pathlib import Path

from pyimagesearch import console


def parse():
    parser = console.Parser(__doc__)
    parser.add_argument("--model", type=Path, default=Path("fashion_model.h5"), help="default: fashion_model.h5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_images_flag()
    parser.add_data_flags()
    return parser.parse_args()


def describe(record):
    """Return in one sentence what made the model."""
    if not record:
        return "it does not say what made it"
    return console.printable(
        f"trained by the recipe {record['recipe']!r} for {record['epochs']} epochs on "
        f"{record['training_pictures']:,} pictures, seed {record['seed']}, "
        f"with Keras {record['versions'].get('keras')} on {record['versions'].get('backend')}"
    )


def main():
    args = parse()
    if args.json:
        console.check_target(args.json)
    console.check_folder(args.images)

    # The libraries are imported where they are first needed: a mistake in a flag or a file is told at once.
    from pyimagesearch import saving

    saving.check(args.model)
    from pyimagesearch import datasets, preprocessing

    images, labels = datasets.load_part("test", args.data_dir, args.any_data)
    images = preprocessing.reshape(images)
    print(preprocessing.describe("test pictures", images))

    from pyimagesearch import evaluation, plots

    model, record = saving.load(args.model)
    print(f"{args.model}: {describe(record)}")

    probabilities = evaluation.predict(model, images)
    result = evaluation.evaluate(probabilities, labels, datasets.CLASS_NAMES)
    low, high = result["accuracy_interval"]
    print(f"loss: {result['loss']:.4f} (mean cross-entropy; 0 would be certain and right every time)")
    print(f"accuracy: {result['accuracy']:.2%} of {len(labels):,} test pictures (95% interval {low:.2%} to {high:.2%})")
    print()
    print(evaluation.report_text(probabilities, labels, datasets.CLASS_NAMES))

    plots.confusion_matrix(result["confusion_matrix"], datasets.CLASS_NAMES, args.images / "confusion_matrix.png")
    plots.predictions(images, labels, probabilities, datasets.CLASS_NAMES, args.images / "predictions.png")
    print(f"drawn: {args.images / 'confusion_matrix.png'} and {args.images / 'predictions.png'}")
    if args.json:
        with console.replacing(args.json) as temporary:
            temporary.write_text(json.dumps(result, indent=2) + "\n")
        print(f"written: {args.json}")


if __name__ == "__main__":
    console.run(main)
