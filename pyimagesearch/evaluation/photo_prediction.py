"""Predict the class of a photo from its views, and say what makes the prediction doubtful."""

import functools
from dataclasses import dataclass, replace

import numpy as np

from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.evaluation import occlusion, predict
from pyimagesearch.evaluation.familiarity import FRACTION
from pyimagesearch.photos.conversion import Photo

SHOES = [CLASS_NAMES.index(name) for name in ("Sandal", "Sneaker", "Ankle boot")]
UNSURE = 0.5  # a highest probability below this is low
CLEAR = 0.8  # from here on, a garment taken as a whole is what it seems, even if its outline is that of a pair of shoes
PAIR = "a pair of shoes: one of them, turned to lie, is compared with shoes only"
ADVICE = {  # by whether the network knows Fashion-MNIST
    True: "photograph one garment alone, whole, flat, from the front (a shoe from the side, toe to the left), on a "
    "plain background of another color",
    False: "take a picture like those for training",
}


@dataclass(frozen=True)
class Prediction:
    """What a network makes of a photo."""

    photo: Photo  # as the network saw it: a garment, or one of a pair of shoes
    probabilities: np.ndarray  # (classes,)
    view: int  # the number of the view that speaks most for the predicted class
    notes: tuple  # sentences about what may make the prediction wrong
    doubts: tuple  # sentences: why to doubt it

    @property
    def predicted(self):
        """The number of the most probable class."""
        return int(self.probabilities.argmax())

    def lines(self, name, class_names):
        """Return what to print about the photo of this name: a list of lines."""
        best = [f"{class_names[k]} {self.probabilities[k]:.0%}" for k in self.probabilities.argsort()[:-4:-1]]
        lines = [f"{name}: {', '.join(best)}{' (unsure)' if self.doubts else ''}"]
        lines += [f"  note: {note}" for note in self.notes]
        return lines + [f"  unsure: {doubt}" for doubt in self.doubts]

    def explain(self, network, name):
        """Return the Explanation of the view that speaks most for the prediction; network: see predict_photo()."""
        views = len(self.photo.images)
        name = f"{name}, view {self.view + 1} of {views}" if views > 1 else str(name)
        network = functools.partial(network, plain=self.photo.plain)
        return occlusion.explain(network, name, self.photo.images[self.view], predicted=self.predicted)

    def as_dict(self, name, class_names):
        """Return it as a dict that JSON can hold."""
        probabilities = dict(zip(class_names, self.probabilities.tolist(), strict=True))
        return {"file": str(name), "probabilities": probabilities, "notes": self.notes, "doubts": self.doubts}


def predict_photo(photo, network, class_names, unlike=None):
    """Return the Prediction for a Photo. Of a pair of shoes, what the network makes of the whole photo is weighed too.

    network    function: (images, whether the background is plain) -> probabilities (views, classes)
    unlike     function: images -> whether they all look unlike the data, as of familiarity.comparison(), or None
    """
    views, notes, doubts = network(photo.images, photo.plain), photo.notes, []
    if photo.whole is None:
        probabilities = predict.combine(views)
    else:
        probabilities = predict.combine(views, SHOES)
        whole = predict_photo(photo.whole, network, class_names, unlike)
        if whole.predicted not in SHOES:
            if whole.probabilities.max() >= CLEAR:
                other = f"{class_names[probabilities.argmax()]} {probabilities.max():.0%}"
                note = f"its outline is like that of a pair of shoes, which would be {other}"
                return replace(whole, notes=(*whole.notes, note))
            other = f"{class_names[whole.predicted]} {whole.probabilities.max():.0%}"
            doubts.append(f"if it is not a pair, it would be {other}")
        notes = (*notes, PAIR)
    if probabilities.max() < UNSURE:
        doubts.append(f"no class has a probability of {UNSURE:.0%}")
    if unlike and unlike(photo.images):
        doubts.append(f"it is less like the training images than {FRACTION:.0%} of the test images")
    view = int(views[:, probabilities.argmax()].argmax())
    return Prediction(photo, probabilities, view, notes, tuple(doubts))
