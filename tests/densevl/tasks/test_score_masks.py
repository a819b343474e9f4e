import numpy as np
import pytest
from PIL import Image

from densevl.core.errors import DataError
from densevl.data.label_maps import LabelRule
from densevl.tasks.score_masks import find_masks, pair_masks, score_masks


class Kept:
    """A metric that keeps what it is fed."""

    def __init__(self):
        self.maps = []

    def update(self, pred, label):
        self.maps.append((pred, label))

    def compute(self):
        return {"pictures": len(self.maps)}


@pytest.fixture
def folders(tmp_path):
    """Write maps: `folders(pred={name: array}, gt={name: array})` -> the two folders."""

    def write(**kinds):
        for kind, maps in kinds.items():
            for name, array in maps.items():
                path = tmp_path / kind / name
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.asarray(array)).save(path)
        return tmp_path / "pred", tmp_path / "gt"

    return write


def ids(*rows, dtype=np.uint8):
    return np.array(rows, dtype=dtype)


def feed(folders, pred, gt, rule):
    metric = Kept()
    pairs, _ = pair_masks(*folders(pred={"a.png": pred}, gt={"a.png": gt}))
    score_masks(pairs, metric, rule)
    return metric.maps[0]


def test_maps_are_matched_by_relative_path_without_suffix(folders):
    one = ids([0])
    pairs, extra = pair_masks(
        *folders(pred={"s/a.png": one, "b.png": one, "x.v1.png": one}, gt={"b.tif": one, "s/a.png": one})
    )
    assert [(pair.name, pair.prediction.name, pair.annotation.name) for pair in pairs] == [
        ("b", "b.png", "b.tif"),
        ("s/a", "a.png", "a.png"),
    ]
    assert extra == ("x.v1",)


def test_annotations_without_a_prediction_are_an_error_with_five_names_and_the_count(folders):
    one = ids([0])
    pred, gt = folders(pred={"p0.png": one, "other.png": one}, gt={f"p{i}.png": one for i in range(8)})
    with pytest.raises(DataError, match=r"7 of 8 annotations .*: p1, p2, p3, p4, p5 and 2 more \(there: other\)"):
        pair_masks(pred, gt)


def test_two_maps_of_one_name_are_an_error(folders):
    pred, _ = folders(pred={"a.png": ids([0]), "a.tif": ids([0])})
    with pytest.raises(DataError, match=r"a\.png and .*a\.tif have one name"):
        find_masks(pred)


def test_hidden_files_are_no_label_maps(folders):
    pred, gt = folders(pred={"a.png": ids([0])}, gt={"a.png": ids([0])})
    (gt / "._a.png").write_bytes(b"what some systems write beside a file")
    assert [pair.name for pair in pair_masks(pred, gt)[0]] == ["a"]


def test_absent_and_empty_folders_say_what_was_seen(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        find_masks(tmp_path / "none")
    with pytest.raises(DataError, match="saw no file"):
        find_masks(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match=r"saw \.jpg"):
        find_masks(tmp_path)


def test_ignored_ids_and_no_label_are_not_scored(folders):
    rule = LabelRule(3, ignore=frozenset({1, 9}))
    pred, label = feed(folders, ids([0, 1, 2, 2, 255]), ids([0, 1, 9, 255, 2]), rule)
    np.testing.assert_array_equal(label, [[0, 255, 255, 255, 2]])
    np.testing.assert_array_equal(pred, [[0, 1, 2, 2, 255]])


def test_an_ignored_id_in_a_prediction_says_no_label_unless_it_is_a_class(folders):
    pred, _ = feed(folders, ids([0, 1, 9]), ids([0, 1, 9]), LabelRule(3, ignore=frozenset({1, 9})))
    np.testing.assert_array_equal(pred, [[0, 1, 255]])


def test_reduced_labels_take_zero_off_and_shift_the_rest(folders):
    rule = LabelRule(3, ignore=frozenset({2}), reduce_zero_label=True)
    _, label = feed(folders, ids([0, 0, 0, 0, 0]), ids([0, 1, 2, 3, 255]), rule)
    np.testing.assert_array_equal(label, [[255, 0, 255, 2, 255]])


def test_above_255_classes_the_unscored_id_is_65535(folders):
    rule = LabelRule(300)
    _, label = feed(folders, ids([255, 299, 0], dtype=np.uint16), ids([255, 299, 65535], dtype=np.uint16), rule)
    assert rule.ignore_index == 65535
    np.testing.assert_array_equal(label, [[255, 299, 65535]])


def test_every_pair_is_fed_and_the_figures_come_back(folders):
    maps = {f"{i}.png": ids([i]) for i in range(3)}
    pairs, _ = pair_masks(*folders(pred=maps, gt=maps))
    metric = Kept()
    assert score_masks(pairs, metric, LabelRule(3)) == {"pictures": 3}
    assert [int(label[0, 0]) for _, label in metric.maps] == [0, 1, 2]


def test_sizes_that_differ_name_both_files(folders):
    with pytest.raises(DataError, match=r"pred/a\.png is 2x1 but .*gt/a\.png is 1x3"):
        feed(folders, ids([0, 0]), ids([0], [0], [0]), LabelRule(3))


def test_ids_of_a_prediction_outside_the_list_are_named(folders):
    with pytest.raises(
        DataError, match=r"pred/a\.png: expected ids 0\.\.2 of 3 classes, got 3, 7; .*name the class list"
    ):
        feed(folders, ids([3, 7]), ids([0, 0]), LabelRule(3))


def test_ids_of_an_annotation_outside_the_list_name_the_flags_that_may_help(folders):
    with pytest.raises(DataError, match=r"gt/a\.png: expected ids 0\.\.2 .* got 3; .*--ignore 3.*--reduce-zero-label"):
        feed(folders, ids([0, 0]), ids([3, 0]), LabelRule(3))
    with pytest.raises(DataError, match=r"expected ids 1\.\.3 .* got 4; .*'--ignore 4'") as error:
        feed(folders, ids([0, 0]), ids([0, 4]), LabelRule(3, reduce_zero_label=True))
    assert "--reduce-zero-label" not in str(error.value)


def test_a_reduced_id_that_lands_on_the_unscored_one_is_no_way_out(folders):
    with pytest.raises(DataError, match="got 256"):
        feed(folders, ids([0]), ids([256], dtype=np.uint16), LabelRule(3, reduce_zero_label=True))
