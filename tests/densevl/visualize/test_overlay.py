import cv2
import numpy as np
import pytest
from PIL import Image

from densevl.core.errors import PictureError, ShapeError, UsageError
from densevl.data import read_picture
from densevl.visualize import overlay
from densevl.visualize.overlay import draw_overlay
from densevl.visualize.palette import palette
from tests.densevl.visualize.results import make_picture, make_result

NAMES = ("wall", "sky", "tree")


def halves(height=300, width=400, left=0, right=1):
    label_map = np.full((height, width), left, dtype=np.uint8)
    label_map[:, width // 2 :] = right
    return label_map


def test_a_pixel_is_the_mean_of_picture_and_colour():
    picture = make_picture(300, 400)
    drawing = draw_overlay(picture, halves(), NAMES, alpha=0.25)
    mixed = 0.75 * picture + 0.25 * palette(3)[halves()]
    assert np.abs(drawing[:300, :199] - mixed[:, :199]).max() <= 0.5 + 1e-6
    assert np.abs(drawing[:300, 200:400] - mixed[:, 200:]).max() <= 0.5 + 1e-6


def test_a_border_is_one_pixel_thin():
    drawing = draw_overlay(make_picture(300, 400), halves(), NAMES)
    assert (drawing[:300, 199] == palette(3)[0] // 2).all()


@pytest.mark.parametrize("no_label", [255, 65535, -1])
def test_pixels_without_a_label_stay_plain(no_label):
    picture = make_picture(300, 400)
    label_map = halves().astype(np.int64)
    label_map[:100] = no_label
    drawing = draw_overlay(picture, label_map, NAMES)
    assert np.array_equal(drawing[:99, :400], picture[:99])


def test_alpha_0_shows_the_picture_and_alpha_1_the_colours():
    picture, label_map = make_picture(300, 400), np.zeros((300, 400), np.uint8)
    assert np.array_equal(draw_overlay(picture, label_map, NAMES, alpha=0)[:300, :400], picture)
    assert (draw_overlay(picture, label_map, NAMES, alpha=1)[:300, :400] == palette(3)[0]).all()


def rows_of(monkeypatch, label_map, names):
    seen = []
    monkeypatch.setattr(overlay, "attach_legend", lambda drawing, rows: seen.extend(rows) or drawing)
    draw_overlay(make_picture(*label_map.shape), label_map, names)
    return [(row.name, row.share) for row in seen]


def test_the_legend_has_the_classes_that_occur_the_largest_first(monkeypatch):
    label_map = halves(10, 100, left=2, right=0)
    label_map[0, :3] = 255
    label_map[1, :50] = 0
    assert rows_of(monkeypatch, label_map, NAMES) == [("wall", "55%"), ("tree", "45%"), ("no label", "<1%")]


def test_beyond_20_classes_the_legend_counts_the_rest(monkeypatch):
    label_map = np.repeat(np.arange(26, dtype=np.uint8)[None], 4, axis=0)
    rows = rows_of(monkeypatch, label_map, [f"c{k}" for k in range(26)])
    assert len(rows) == 21
    assert rows[-1] == ("+6 more", "23%")


def test_a_picture_without_any_label_still_has_a_legend(monkeypatch):
    assert rows_of(monkeypatch, np.full((5, 5), 255, np.uint8), NAMES) == [("no label", "100%")]


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (20, 33), (1, 5000), (5000, 1), (30, 30000), (1500, 4000), (480, 640)]
)
def test_every_size_is_drawn_within_bounds(height, width):
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    drawing = draw_overlay(picture, np.zeros((height, width), np.uint8), NAMES)
    assert max(drawing.shape[:2]) < 4600
    assert drawing.shape[0] * drawing.shape[1] < 2_800_000
    assert min(drawing.shape[:2]) >= 16


def test_the_inputs_are_not_written_to():
    picture, label_map = make_picture(300, 400), halves()
    before = picture.copy(), label_map.copy()
    draw_overlay(picture, label_map, NAMES)
    assert np.array_equal(picture, before[0])
    assert np.array_equal(label_map, before[1])


@pytest.mark.parametrize(
    ("picture", "label_map"),
    [(make_picture(4, 5), np.zeros((5, 4), np.uint8)), (make_picture(4, 5) / 255, np.zeros((4, 5), np.uint8))],
)
def test_a_picture_and_labels_that_do_not_fit_are_a_shape_error(picture, label_map):
    with pytest.raises(ShapeError, match="expected a picture"):
        draw_overlay(picture, label_map, NAMES)


def test_alpha_beyond_1_is_a_usage_error():
    with pytest.raises(UsageError, match=r"0\.\.1"):
        draw_overlay(make_picture(4, 5), np.zeros((4, 5), np.uint8), NAMES, alpha=2)


def test_a_result_is_drawn_over_the_picture_handed_in():
    picture, result = make_picture(300, 400), make_result(halves())
    assert np.array_equal(result.plot(picture), draw_overlay(picture, halves(), result.class_names))


def test_a_result_reads_its_source_as_a_run_does(tmp_path):
    picture = np.dstack([make_picture(300, 400), np.full((300, 400), 128, np.uint8)])
    Image.fromarray(picture, "RGBA").save(tmp_path / "ü.png")
    result = make_result(halves(), source=tmp_path / "ü.png")
    assert np.array_equal(result.plot(), result.plot(read_picture(tmp_path / "ü.png")))
    assert result.save(tmp_path / "drawn.jpg").stat().st_size > 1000


def test_a_result_without_a_picture_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match="hand the picture in"):
        make_result(halves()).plot()
    with pytest.raises(PictureError, match="no such file"):
        make_result(halves(), source=tmp_path / "gone.png").plot()
    cv2.imwrite(str(tmp_path / "other.png"), make_picture(3, 4))
    with pytest.raises(UsageError, match="has changed"):
        make_result(halves(), source=tmp_path / "other.png").plot()
