import re

from pipeline.report.figures.drawing import draw


def test_coordinates_are_rounded_and_labels_are_not():
    def paint(axes):
        axes.plot([0, 1], [0, 1 / 3])
        axes.set_yticks([0.025, 0.125])
        axes.set_title("0.1234567 <b>")

    svg = draw("made", "a line", paint)
    written = re.findall(r">([^<>]+)</text>", svg)
    assert {"0.025", "0.125", "0.1234567 &lt;b&gt;"} <= {text.strip() for text in written}
    in_tags = " ".join(re.findall(r"<[^>]*>", svg))
    assert not re.findall(r"\d\.\d{3,}", in_tags)
