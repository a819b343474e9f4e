import json

import numpy as np
from pycocotools import mask as coco_mask

from densevl.visualize.coco import coco_document
from densevl.visualize.writers import encode_labels
from tests.densevl.visualize.results import make_result


def written(folder, *label_maps, num_classes=3):
    for i, label_map in enumerate(label_maps):
        path = folder / f"{i}.png"
        path.write_bytes(encode_labels(make_result(label_map, num_classes)))
        yield f"photo{i}.jpg", path


def test_annotations_hold_the_label_maps_exactly(tmp_path):
    rng = np.random.default_rng(0)
    label_maps = [rng.choice([0, 1, 2, 255], (7, 9)), rng.choice([1, 255], (5, 4))]
    document = coco_document(written(tmp_path, *label_maps), ["a", "b", "c"])
    assert [image["file_name"] for image in document["images"]] == ["photo0.jpg", "photo1.jpg"]
    for image, label_map in zip(document["images"], label_maps, strict=True):
        drawn = np.full((image["height"], image["width"]), 255)
        for annotation in document["annotations"]:
            if annotation["image_id"] == image["id"]:
                mask = coco_mask.decode(annotation["segmentation"]).astype(bool)
                assert annotation["area"] == mask.sum()
                x, y, width, height = (int(side) for side in annotation["bbox"])
                assert mask[y : y + height, x : x + width].sum() == mask.sum()
                drawn[mask] = annotation["category_id"]
        assert np.array_equal(drawn, label_map)


def test_ids_count_from_1_and_categories_are_the_ids_of_the_label_maps(tmp_path):
    document = coco_document(written(tmp_path, [[0, 2]], [[2, 2]]), ["a", "b", "c"])
    assert [image["id"] for image in document["images"]] == [1, 2]
    assert [(a["id"], a["image_id"], a["category_id"]) for a in document["annotations"]] == [
        (1, 1, 0),
        (2, 1, 2),
        (3, 2, 2),
    ]
    assert [(c["id"], c["name"]) for c in document["categories"]] == [(0, "a"), (1, "b"), (2, "c")]


def test_more_than_255_classes_are_read_from_16_bits(tmp_path):
    names = [f"c{k}" for k in range(300)]
    document = coco_document(written(tmp_path, [[299, 65535]], num_classes=300), names)
    assert [a["category_id"] for a in document["annotations"]] == [299]


def test_the_document_is_json_and_pycocotools_reads_it(tmp_path, capsys):
    from pycocotools.coco import COCO

    document = coco_document(written(tmp_path, [[0, 1], [1, 1]]), ["a", "b", "c"])
    (tmp_path / "coco.json").write_text(json.dumps(document))
    coco = COCO(str(tmp_path / "coco.json"))
    assert coco.annToMask(coco.loadAnns(coco.getAnnIds(catIds=[1]))[0]).tolist() == [[0, 1], [1, 1]]


def test_label_maps_are_read_one_at_a_time(tmp_path):
    first, second = written(tmp_path, [[0]], [[1]])

    def items():
        yield first
        first[1].unlink()  # nothing holds on to it
        yield second

    assert len(coco_document(items(), ["a", "b", "c"])["annotations"]) == 2
