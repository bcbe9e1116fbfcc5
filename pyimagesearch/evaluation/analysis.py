"""What can be known of the data without a network: how hard it is, a map, duplicates, labels that look wrong."""

import csv
import time
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import NearestCentroid, NearestNeighbors

from pyimagesearch.errors import UserError
from pyimagesearch.files import replacing
from pyimagesearch.model_files import reading, saving

COMPONENTS = 50
NEIGHBOURS = 10
NEAR = 1.0  # distance between pictures, pixels from 0 to 1, below which people see the same article; see duplicates


@dataclass(frozen=True)
class Neighbourhood:
    """The nearest training pictures of every picture, nearest first; never the picture itself.

    train   (indices int (N, 10), distances float (N, 10)) for the training pictures
    test    the same for the test pictures
    """

    train: tuple
    test: tuple


def flatten(images):
    """(N, 28, 28) uint8 -> (N, 784) float32 from 0.0 to 1.0."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def project(images, others):
    """Return both sets, uint8 (N, 28, 28), in the first 50 principal components of the first, float32 (N, 50).

    Most of what tells pictures apart is kept, and distances cost a fifteenth.
    """
    pixels = flatten(images)
    pca = PCA(min(COMPONENTS, len(images) - 1), svd_solver="covariance_eigh", random_state=0).fit(pixels)
    return pca.transform(pixels), pca.transform(flatten(others))


def neighbours(train, test):
    """Return the Neighbourhood of projected pictures, (N, 50) and (M, 50)."""
    search = NearestNeighbors(n_neighbors=NEIGHBOURS + 1, algorithm="brute").fit(train)
    distances, indices = search.kneighbors(train)
    # The picture itself is among the found, mostly first; of exact duplicates any may be.
    itself = indices == np.arange(len(train))[:, None]
    itself[~itself.any(axis=1), -1] = True
    shape = (len(train), NEIGHBOURS)
    of_train = indices[~itself].reshape(shape), distances[~itself].reshape(shape)
    distances, indices = search.kneighbors(test, NEIGHBOURS)
    return Neighbourhood(of_train, (indices, distances))


def baselines(images, labels, near):
    """Yield (name, accuracy, seconds, predicted labels, true labels) of methods that are no networks.

    images: uint8 (N, 28, 28), the training pictures. The first two learn from some and are measured on the last tenth;
    the third lets each picture be named by its neighbours (near: the Neighbourhood).
    """
    held_out = len(labels) - len(labels) // 10
    pixels, targets = flatten(images[held_out:]), labels[held_out:]
    for name, method, count in (
        ("nearest class mean", NearestCentroid(), held_out),
        ("logistic regression on the pixels of 10,000", LogisticRegression(max_iter=30), min(10_000, held_out)),
    ):
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # more steps take long and change little
            predicted = method.fit(flatten(images[:count]), labels[:count]).predict(pixels)
        yield name, (predicted == targets).mean(), time.perf_counter() - start, predicted, targets
    start = time.perf_counter()
    predicted = votes(labels[near.train[0][:, :5]], len(np.unique(labels))).argmax(axis=1)
    yield "5 nearest neighbours", (predicted == labels).mean(), time.perf_counter() - start, predicted, labels


def votes(neighbour_labels, classes):
    """Count: labels of neighbours (N, k) -> share of each class among them, float (N, classes)."""
    return (neighbour_labels[:, :, None] == np.arange(classes)).mean(axis=1)


def confused(predicted, labels, count=3):
    """Return the pairs of classes that were most often taken for each other: [(number, class, class)]."""
    classes = int(labels.max()) + 1
    matrix = np.zeros((classes, classes), int)
    np.add.at(matrix, (labels, predicted), 1)
    both = np.triu(matrix + matrix.T, 1)
    order = np.argsort(both, axis=None)[::-1][:count]
    return [(int(both.flat[place]), *map(int, np.unravel_index(place, both.shape))) for place in order]


def duplicates(images, others, near):
    """Return what is twice there.

    exact    pairs (i, j) of images and others that are equal byte by byte; images with images if they are the same set
    close    the same for pairs less than NEAR apart (Euclidean, all 784 pixels), exact ones aside

    near: (indices into images, distances) of the neighbours of others.
    """
    same = images is others
    exact, close = [], []
    # The projection can only shorten a distance: what is near in pixels is near in it.
    for j, rank in np.argwhere(near[1] < NEAR):
        i = int(near[0][j, rank])
        if same and i >= j:
            continue
        difference = (images[i].astype(np.float64) - others[j]) / 255
        distance = np.sqrt((difference**2).sum())
        if distance < NEAR:
            (close if distance else exact).append((i, int(j)))
    return exact, close


def class_pictures(images, labels):
    """Return the mean, the most typical and the standard deviation of each class's pictures, (classes, 28, 28) each.

    The most typical one is the nearest to the mean.
    """
    means, typical, deviations = [], [], []
    for number in range(int(labels.max()) + 1):
        own = images[labels == number].astype(np.float32)
        means.append(own.mean(axis=0))
        deviations.append(own.std(axis=0))
        typical.append(own[((own - means[-1]) ** 2).sum(axis=(1, 2)).argmin()])
    return np.array(means), np.array(typical), np.array(deviations)


@dataclass(frozen=True)
class Doubt:
    """A picture whose label looks wrong: its place in its part ("train" or "test"), label, better class, score."""

    part: str
    index: int
    label: int
    other: int
    score: float


def suspicious(labels, test_labels, near, probabilities=None, count=100):
    """Return the Doubts about training and test labels, those with score 1 and `count` at least each, worst first.

    A picture's neighbours are training pictures and never itself, so its own label does not speak for it.
    probabilities: what ask() returns, (N, classes) and (M, classes), to be used instead of the neighbours.
    """
    classes = int(labels.max()) + 1
    shares = probabilities or (votes(labels[near.train[0]], classes), votes(labels[near.test[0]], classes))
    doubts = []
    for part, own, share, (_, distances) in (
        ("train", labels, shares[0], near.train),
        ("test", test_labels, shares[1], near.test),
    ):
        scores, others = suspicion(share, own)
        order = np.lexsort((distances.mean(axis=1), -scores))  # of equal scores, the closer neighbours first
        kept = order[: max(count, int((scores == 1).sum()))]
        doubts += [Doubt(part, int(k), int(own[k]), int(others[k]), float(scores[k])) for k in kept]
    return doubts


def check(path):
    """Raise UserError if the file `path` is not of a network that ask() can be given; Keras is not needed to tell."""
    if not saving.is_ours(reading.read(path).record):
        raise UserError(f"{path} was not made by fashion_mnist.py; give --model a file that was")


def ask(path, images, labels, test_images):
    """Return what the trained network in the file `path` says of training and of test pictures: two probabilities.

    images, test_images: uint8 (N, 28, 28) and (M, 28, 28); labels: (N,). Returns float (N, classes) and (M, classes).
    A network has learned the training labels, the wrong ones too. So only what its last hidden layer sees in a training
    picture is taken from it; a logistic regression on that, which has learned from the other four fifths of the
    pictures, names it. The file is one that check() has passed.
    """
    from pyimagesearch.data import preparation as preprocessing  # late: nothing else in this module meets a network
    from pyimagesearch.evaluation import metrics as evaluation  # late: nothing else in this module meets a network
    from pyimagesearch.model_files import building

    model = building.build(reading.read(path))
    images, test_images = preprocessing.reshape(images), preprocessing.reshape(test_images)
    seen = PCA(min(COMPONENTS, len(images) - 1), whiten=True, random_state=0).fit_transform(
        evaluation.last_hidden(model, images)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        named = cross_val_predict(LogisticRegression(), seen, labels, cv=5, method="predict_proba")
    return named, evaluation.predict(model, test_images)


def write_csv(doubts, class_names, path, count=100):
    """Write the `count` worst Doubts of each part to `path` as CSV."""
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["part", "index", "label", "looks_like", "score"])
        for part in ("train", "test"):
            for doubt in [doubt for doubt in doubts if doubt.part == part][:count]:
                names = class_names[doubt.label], class_names[doubt.other]
                writer.writerow([part, doubt.index, *names, f"{doubt.score:.2f}"])


def suspicion(shares, labels):
    """Say how wrong each label looks, from -1 (sure to be right) to 1 (sure to be wrong), and what it might be instead.

    shares: of each class among a picture's neighbours, or a network's probabilities, (N, classes). The margin between
    the best other class and the label's own (Northcutt, Jiang and Chuang, arXiv:1911.00068, section 3: "normalized
    margin"). Returns (scores (N,), other classes (N,)).
    """
    rows = np.arange(len(labels))
    others = shares.copy()
    others[rows, labels] = -1
    return others.max(axis=1) - shares[rows, labels], others.argmax(axis=1)


def embed(projected, count=2000):
    """Return a map of the first `count` projected pictures in two dimensions, float (count, 2), by t-SNE.

    Van der Maaten and Hinton, JMLR 2008. Neighbours stay neighbours; distances between groups mean nothing.
    """
    sample = projected[:count]
    return TSNE(2, perplexity=min(30, len(sample) / 4), init="pca", random_state=0, max_iter=500).fit_transform(sample)
