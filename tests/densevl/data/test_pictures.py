import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from densevl.core.errors import PictureError
from densevl.data.pictures import PICTURE_SUFFIXES, decode_picture, header_size, read_picture, shown

RGB = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def cv2_encoded(array, suffix):
    return cv2.imencode(suffix, array)[1].tobytes()


def bomb():
    """A PNG whose header promises 400 megapixels; no test needs to write them."""
    data = encoded(Image.new("L", (1, 1)))
    header = struct.pack(">II", 20000, 20000) + data[24:29]
    return data[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + data[33:]


def test_an_rgb_png_comes_back_as_it_was_and_can_be_written_to():
    picture = decode_picture(encoded(Image.fromarray(RGB)), "x")
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, RGB)
    picture[0, 0] = 7


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_become_8_by_rounding_v_over_257(suffix):
    grey = np.linspace(0, 65535, 240).astype(np.uint16).reshape(12, 20)
    picture = decode_picture(cv2_encoded(grey, suffix), "x")
    assert np.array_equal(picture, np.repeat(np.rint(grey / 257).astype(np.uint8)[..., None], 3, axis=2))
    colour = decode_picture(cv2_encoded(RGB[..., ::-1].astype(np.uint16) * 257, suffix), "x")
    assert np.array_equal(colour, RGB)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA"])
def test_every_kind_of_png_becomes_rgb(mode):
    image = Image.fromarray(RGB).convert("RGBA" if mode == "LA" else "RGB").convert(mode)
    picture = decode_picture(encoded(image), "x")
    assert np.array_equal(picture, np.asarray(image.convert("RGB")))


def test_cmyk_becomes_rgb():
    image = Image.new("CMYK", (4, 3), (0, 255, 255, 0))
    assert decode_picture(encoded(image, "TIFF"), "x").tolist() == [[[255, 0, 0]] * 4] * 3


def test_alpha_lies_over_white():
    rgba = np.zeros((1, 3, 4), dtype=np.uint8)
    rgba[0, :, 3] = 0, 255, 51
    assert decode_picture(encoded(Image.fromarray(rgba)), "x")[0, :, 0].tolist() == [255, 0, 204]


def test_a_transparent_palette_entry_lies_over_white():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    picture = decode_picture(encoded(image, transparency=0), "x")
    assert picture.tolist() == [[[255, 255, 255], [40, 50, 60]]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(("orientation", "turn"), [(3, 2), (6, -1), (8, 1)])
def test_the_exif_orientation_is_applied(kind, orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = decode_picture(encoded(Image.fromarray(RGB), kind, exif=exif, **options), "x")
    assert np.array_equal(picture, np.rot90(RGB, turn))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_broken_exif_block_does_not_lose_the_picture(monkeypatch):
    data = encoded(Image.fromarray(RGB), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert decode_picture(data, "x").shape == RGB.shape
    monkeypatch.setattr("PIL.ImageOps.exif_transpose", lambda image: abs("not a number"))
    assert decode_picture(data, "x").shape == RGB.shape


def test_of_several_frames_the_first_is_taken():
    frames = [Image.new("L", (3, 2), value) for value in (0, 255)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_picture(data, "x").max() == 0


def test_the_content_decides_not_the_suffix(tmp_path):
    path = tmp_path / "really_a.jpg"
    path.write_bytes(encoded(Image.fromarray(RGB)))
    assert np.array_equal(read_picture(path), RGB)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5000), (5000, 1), (3, 30000)])
def test_sizes_at_the_edge_are_read(height, width):
    assert decode_picture(encoded(Image.new("RGB", (width, height))), "x").shape == (height, width, 3)


WHOLE = encoded(Image.fromarray(np.tile(RGB, (20, 20, 1))))
JPEG = encoded(Image.fromarray(np.tile(RGB, (20, 20, 1))), "JPEG")
BAD = {
    "empty.png": (b"", "empty (0 bytes)", "copy it anew"),
    "cut.png": (WHOLE[: len(WHOLE) // 2], "truncated", "copy it anew"),
    "cut.jpg": (JPEG[: len(JPEG) // 2], "truncated", "copy it anew"),
    "cut_in_header.png": (WHOLE[:10], "not a picture", "convert or remove"),
    "text.jpg": (b"no picture at all" * 99, "not a picture", "convert or remove"),
    "drawing.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "not a picture", "convert"),
    "bomb.png": (bomb(), "400 megapixels", "scale it down"),
    "float.tif": (encoded(Image.new("F", (3, 3), 0.5), "TIFF"), "floats", "8 or 16 bits"),
    "int32.tif": (encoded(Image.new("I", (3, 3), 70000), "TIFF"), "70000", "8 or 16 bits"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_a_picture_error_with_path_cause_and_cure(tmp_path, name):
    data, cause, cure = BAD[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(PictureError) as caught:
        read_picture(tmp_path / name)
    message = str(caught.value)
    assert str(tmp_path / name) in message
    assert cause in message
    assert cure in message


def test_flipped_bytes_are_a_picture_or_a_picture_error():
    rng = np.random.default_rng(1)
    for data in (WHOLE, JPEG, cv2_encoded(RGB, ".tif"), encoded(Image.fromarray(RGB), "GIF")):
        for _ in range(40):
            broken = bytearray(data)
            for place in rng.integers(0, min(len(data), 400), 3):
                broken[place] ^= int(rng.integers(1, 256))
            try:
                assert decode_picture(bytes(broken), "x").ndim == 3
            except PictureError as error:
                assert str(error).startswith("x: ")


def test_what_is_no_readable_file_is_a_picture_error(tmp_path, monkeypatch):
    with pytest.raises(PictureError, match="no such file"):
        read_picture(tmp_path / "absent.png")
    with pytest.raises(PictureError, match="is a folder"):
        read_picture(tmp_path)
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda path: (_ for _ in ()).throw(PermissionError()))
    with pytest.raises(PictureError, match="no permission"):
        read_picture(tmp_path / "locked.png")


def test_reading_changes_no_setting_of_pillow():
    from PIL import ImageFile

    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    with pytest.raises(PictureError):
        decode_picture(WHOLE[:-40], "x")
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_paths_that_are_no_utf8_can_still_be_shown():
    assert shown("b\udcffd.png") == "b\ufffdd.png"


def test_suffixes_are_lower_case_and_hold_the_usual_ones():
    assert {".jpg", ".jpeg", ".png", ".tif", ".webp", ".bmp"} <= set(PICTURE_SUFFIXES)
    assert all(suffix == suffix.lower() for suffix in PICTURE_SUFFIXES)


def test_sizes_come_from_headers_and_unreadable_files_have_none(tmp_path):
    Image.fromarray(np.zeros((30, 50, 3), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    assert header_size(tmp_path / "a.png") == (30, 50)
    assert header_size(tmp_path / "b.png") is None
    assert header_size(tmp_path / "absent.png") is None
