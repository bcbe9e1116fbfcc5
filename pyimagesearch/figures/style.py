"""What all figures share: colors, width, and how they are saved."""

import functools
import warnings

import matplotlib

from pyimagesearch.files import replacing

# matplotlib's own defaults, but for the backend, which Figure does not use. "$" in a name is a dollar sign.
DEFAULTS = {key: matplotlib.rcParamsDefault[key] for key in matplotlib.rcParamsDefault if "backend" not in key}
DEFAULTS |= {"text.parse_math": False, "font.family": ["DejaVu Sans"]}

# Colors that color-blind readers can tell apart (Okabe and Ito, "Color Universal Design", 2008).
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#007A5A", "#C23B00"
# One for each class, the same in every figure: Okabe and Ito's, a gray and a brown.
CLASS_COLORS = (
    *("#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442"),
    *("#0072B2", "#D55E00", "#CC79A7", "#808080", "#7A4A12"),
)
WIDTH = 9  # inches; at 110 dots per inch about the width of a README


def own_style(draw):
    """Decorate a drawing function so that no matplotlibrc or style sheet of the user changes its figure."""

    @functools.wraps(draw)
    def drawing(*arguments, **options):
        with matplotlib.rc_context(DEFAULTS):
            return draw(*arguments, **options)

    return drawing


def save(folder, **figures):
    """Write each figure to `folder`/NAME.png, whole or not at all. Returns the paths; raises UserError if it cannot."""
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        with replacing(paths[-1]) as temporary, matplotlib.rc_context(DEFAULTS), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script that the font lacks
            figure.savefig(temporary, dpi=110, facecolor="white")
    return paths
