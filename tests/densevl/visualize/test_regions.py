import cv2
import numpy as np
import pytest

from densevl.visualize.regions import SMALLEST_SHARE, outline, region_features
from tests.densevl.visualize.results import make_result


def area(ring):
    x, y = np.array(ring).T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) / 2


def test_a_square_is_outlined_at_the_edges_of_its_pixels():
    mask = np.zeros((5, 6), dtype=bool)
    mask[1:4, 2:4] = True
    (ring,) = outline(mask)
    assert ring[0] == ring[-1]
    assert sorted(ring[:-1]) == [[2, 1], [2, 4], [4, 1], [4, 4]]


def test_a_hole_is_a_ring_of_its_own_that_turns_the_other_way():
    mask = np.ones((5, 5), dtype=bool)
    mask[2, 1:3] = False
    outer, hole = outline(mask)
    assert area(outer) == 25
    assert area(hole) == -2
    assert sorted(hole[:-1]) == [[1, 2], [1, 3], [3, 2], [3, 3]]


def test_rings_of_any_region_cover_it_exactly_and_never_touch_themselves():
    rng = np.random.default_rng(0)
    for _ in range(150):
        noise = rng.integers(0, 2, rng.integers(1, 14, 2)).astype(np.uint8)
        count, regions = cv2.connectedComponents(noise, connectivity=4)
        for i in range(1, count):
            rings = outline(regions == i)
            assert sum(area(ring) for ring in rings) == (regions == i).sum()
            assert area(rings[0]) > 0
            assert all(area(hole) < 0 for hole in rings[1:])
            assert all(len({tuple(point) for point in ring}) == len(ring) - 1 for ring in rings)


def test_a_feature_says_class_area_and_doubt():
    label_map = np.zeros((40, 50), dtype=int)
    label_map[10:20, 5:25] = 2
    result = make_result(label_map)
    wall, tree = region_features(result)
    assert (wall["properties"]["class_id"], tree["properties"]["class_id"]) == (0, 2)
    assert tree["properties"] == {
        "class_id": 2,
        "class_name": "class 2",
        "area": 200,
        "doubt": pytest.approx(result.doubt[10:20, 5:25].mean(), abs=1e-4),
    }
    assert [len(feature["geometry"]["coordinates"]) for feature in (wall, tree)] == [2, 1]
    assert sorted(tree["geometry"]["coordinates"][0][:-1]) == [[5, 10], [5, 20], [25, 10], [25, 20]]


def test_two_regions_of_a_class_are_two_features_from_top_to_bottom():
    label_map = np.full((9, 9), 255)
    label_map[6:8, 1:3] = label_map[1:3, 4:8] = 1
    assert [feature["properties"]["area"] for feature in region_features(make_result(label_map))] == [8, 4]


def test_regions_that_touch_at_a_corner_only_are_two():
    assert len(region_features(make_result([[0, 1], [1, 0]]))) == 4


def test_regions_below_a_ten_thousandth_of_the_picture_are_dropped():
    label_map = np.zeros((200, 200), dtype=int)
    label_map[0, 0:4] = 1
    label_map[50, 0:3] = 2
    assert SMALLEST_SHARE * label_map.size == 4
    assert [feature["properties"]["class_id"] for feature in region_features(make_result(label_map))] == [0, 1]


def test_one_pixel_without_a_neighbour_is_a_region_of_a_tiny_picture():
    (feature,) = region_features(make_result([[1]]))
    assert feature["geometry"]["coordinates"][0][0] == feature["geometry"]["coordinates"][0][-1]
    assert area(feature["geometry"]["coordinates"][0]) == 1


def test_a_picture_without_labels_has_no_features():
    assert region_features(make_result(np.full((4, 4), 255))) == []
