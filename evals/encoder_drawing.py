"""A picture of a comparison of encoders."""

from doubleread.evals.drawings import ForestRow, forest_plot
from doubleread.evals.encoder_comparison import EncoderComparison


def accuracy_plot(found: EncoderComparison) -> str:
    """Returns the accuracy of each encoder with its interval, as SVG; the bar is the best one's."""
    rows = [ForestRow(one.name, found.n, one.accuracy) for one in found.encoders]
    about = f"Right answers on {found.n:,} images in {found.groups:,} groups, each read without its own group."
    return forest_plot(rows, title="Encoders compared", about=about, whole=found.encoders[0].accuracy)
