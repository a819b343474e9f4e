import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from densevl.core.errors import DataError, UsageError
from densevl.data.label_maps import LabelRule, count_ids, decode_label_map, name_some, read_label_map, what_else


def ids(*rows, dtype=np.uint8):
    return np.array(rows, dtype=dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_files_of_8_and_16_bit_keep_their_ids(tmp_path, dtype):
    array = np.array([[0, 7], [200, np.iinfo(dtype).max]], dtype=dtype)
    Image.fromarray(array).save(tmp_path / "a.png")
    found = read_label_map(tmp_path / "a.png")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, array)


def test_palette_files_give_their_indices(tmp_path):
    picture = Image.fromarray(ids([0, 3], [2, 1])).convert("P")
    picture.putdata([0, 3, 2, 1])
    picture.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0, 0, 0, 200])
    picture.save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == "P"
    np.testing.assert_array_equal(read_label_map(tmp_path / "a.png"), [[0, 3], [2, 1]])


def test_colours_and_broken_files_are_named(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "rgb.png")
    with pytest.raises(DataError, match=r"rgb\.png: expected ids .* got colours \(RGB\)"):
        read_label_map(tmp_path / "rgb.png")
    whole = (tmp_path / "rgb.png").read_bytes()
    files = (("cut.png", whole[:40], "cut off"), ("empty.png", b"", "0 bytes"), ("text.png", b"x", "no picture"))
    for name, data, cause in files:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=f"{name} cannot be read as a label map: .*{cause}") as caught:
            read_label_map(tmp_path / name)
        assert "object at 0x" not in str(caught.value)


@pytest.mark.parametrize(("mode", "told"), [("P", None), ("I;16", None), ("LA", "colours (LA)"), ("F", "floats")])
def test_what_is_no_ids_is_named(mode, told):
    assert what_else(mode) == told


def test_long_lists_of_names_are_cut():
    assert name_some(["a", "b"]) == "a, b"
    assert name_some([str(i) for i in range(9)]) == "0, 1, 2, 3, 4 and 4 more"


def test_files_of_one_bit_are_ids_and_those_of_32_bits_must_fit_16(tmp_path):
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "bit.png")
    np.testing.assert_array_equal(read_label_map(tmp_path / "bit.png"), ids([0, 1]))
    Image.fromarray(np.array([[7, 65535]], dtype=np.int32)).save(tmp_path / "fits.tif")
    found = read_label_map(tmp_path / "fits.tif")
    assert found.dtype == np.uint16 and found.tolist() == [[7, 65535]]
    Image.fromarray(np.array([[7, 65536]], dtype=np.int32)).save(tmp_path / "wide.tif")
    with pytest.raises(DataError, match=r"wide\.tif: expected ids of 8 or 16 bits, got 7\.\.65536"):
        read_label_map(tmp_path / "wide.tif")


def grey_png(values, bits):
    """A PNG of one row of grey with fewer than 8 bits, which Pillow cannot write."""
    packed = np.packbits([int(bit) for value in values for bit in f"{value:0{bits}b}"]).tobytes()
    head = struct.pack(">IIBBBBB", len(values), 1, bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0" + packed)), (b"IEND", b""))
    sealed = (struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(sealed)


@pytest.mark.parametrize(("values", "bits"), [([0, 1, 3, 2], 2), ([0, 1, 11, 15, 7], 4)])
def test_grey_of_few_bits_keeps_its_ids(values, bits):
    assert decode_label_map(grey_png(values, bits), "few.png").tolist() == [values]


def test_bytes_are_decoded_under_the_name_they_are_given(tmp_path):
    with pytest.raises(DataError, match=r"^here cannot be read"):
        decode_label_map(b"no picture", "here")
    with pytest.raises(DataError, match=r"none\.png cannot be read"):
        read_label_map(tmp_path / "none.png")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_ids_are_counted_exactly(dtype, monkeypatch):
    monkeypatch.setattr("densevl.data.label_maps._EXACT", 64)  # in bands of two rows
    array = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (9, 32), endpoint=True).astype(dtype)
    found = count_ids(array)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, np.bincount(array.ravel(), minlength=np.iinfo(dtype).max + 1))


@pytest.mark.parametrize(("num_classes", "kept"), [(254, np.uint8), (255, np.uint8), (256, np.uint16)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_classes_have_the_narrowest_dtype_that_holds_all(num_classes, kept, dtype):
    rule = LabelRule(num_classes)
    given = ids([0, 200, 253], dtype=dtype)
    for found in (rule.to_classes(given, "a"), rule.to_prediction(given, "a")):
        assert found.dtype == kept
        np.testing.assert_array_equal(found, given)


def test_a_rule_is_what_its_words_say():
    rule = LabelRule(3, ignore=frozenset({2, 9}), reduce_zero_label=True)
    assert (rule.first_id, rule.ignore_index) == (1, 255)
    assert rule.to_classes(ids([0, 1, 2, 3, 9, 255]), "a").tolist() == [[255, 0, 255, 2, 255, 255]]
    assert rule.to_prediction(ids([0, 1, 2, 9, 255]), "a").tolist() == [[0, 1, 2, 255, 255]]
    assert rule.outside([0, 1, 3, 4, 9, 254, 255]) == [4, 254]


def test_the_input_is_not_written_to():
    given = ids([0, 1])
    LabelRule(1, reduce_zero_label=True).to_classes(given, "a")
    assert given.tolist() == [[0, 1]]


def test_ids_outside_the_list_are_named_with_what_may_help():
    with pytest.raises(DataError, match=r"^a: expected ids 0\.\.2 of 3 classes, got 3; .*--ignore 3.*--reduce-zero"):
        LabelRule(3).to_classes(ids([0, 3]), "a")
    with pytest.raises(DataError, match=r"^p: expected ids 0\.\.2 of 3 classes, got 3, 7; predictions hold"):
        LabelRule(3).to_prediction(ids([3, 7]), "p")


@pytest.mark.parametrize("arguments", [(0,), (70000,), (3, frozenset({70000})), (3, frozenset({-1}))])
def test_rules_that_no_label_map_can_follow_are_refused(arguments):
    with pytest.raises(UsageError, match="expected 1 to 65535 classes"):
        LabelRule(*arguments)
