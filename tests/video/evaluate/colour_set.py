"""A small set of labelled clips of plain colours, for a recogniser that tells colours: who is right is known."""

from __future__ import annotations

from pathlib import Path

from tests.video.fakes import colour_clip

NAMES = ("red", "green", "blue")
# colour shown and label written: 5 of 7 are right, and the classes' accuracies are 1, 2/3 and 1/2
CLIPS = (("red", 0), ("green", 1), ("blue", 2), ("green", 2), ("red", 0), ("red", 1), ("green", 1))
CONFIG = """
model = dict(
    type="video.VideoClassifier",
    recogniser=dict(type="tests.video.fakes.ColourRecogniser"),
    views=dict(type="video.views.ClipViews", size=32, num_frames=2),
)
"""


def write_colour_set(root: Path, clips: tuple[tuple[str, int], ...] = CLIPS) -> Path:
    """`0.mp4`, ..., `list.txt`, `classes.csv` and the model's config `colours.py`."""
    root.mkdir(parents=True, exist_ok=True)
    for place, (colour, _) in enumerate(clips):
        colour_clip(root / f"{place}.mp4", [(colour, 4)])
    (root / "list.txt").write_text("".join(f"{place}.mp4 {label}\n" for place, (_, label) in enumerate(clips)))
    (root / "classes.csv").write_text("id,name\n" + "".join(f"{k},{name}\n" for k, name in enumerate(NAMES)))
    (root / "colours.py").write_text(CONFIG)
    return root
