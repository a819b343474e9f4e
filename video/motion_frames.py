"""Frames of the motion sets before they are encoded: pictures under a moving camera, a ball with a pattern.

All of it is drawn from a generator: the same seed gives the same frames.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from densevl.core.errors import DataError

Split = Literal["train", "test"]

FRAMES, SIDE = 24, 72  # a clip is [24, 72, 72, 3]
# Pictures that installed packages bring, none of them in both splits; those without texture were left out.
_SKIMAGE, _SKLEARN = ("skimage", "data"), ("sklearn", "datasets/images")
PICTURES: dict[Split, dict[tuple[str, str], tuple[str, ...]]] = {
    "train": {
        _SKIMAGE: (
            *("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "gravel.png", "ihc.png"),
            *("motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg"),
        ),
    },
    "test": {
        _SKIMAGE: ("coins.png", "grass.png", "hubble_deep_field.jpg", "logo.png", "text.png"),
        _SKLEARN: ("china.jpg", "flower.jpg"),
    },
}
_SHORT_SIDE = 256
_TIME = np.linspace(-0.5, 0.5, FRAMES)  # symmetric: backwards is the negative
_LEAST_TEXTURE, _MOST_DRAWS = 3.0, 20  # mean step between neighbours in grey levels
_SPAN = np.arange(SIDE) - (SIDE - 1) / 2
_X, _Y = np.meshgrid(_SPAN, _SPAN)  # [H, W], pixels from the centre, y down


@dataclass(frozen=True)
class _Path:
    """Where the window lies in every frame: shift [T, 2] (x, y) in source pixels, scale [T], angle [T] in radians."""

    shift: np.ndarray
    scale: np.ndarray
    angle: np.ndarray


@functools.lru_cache(maxsize=2)
def load_pictures(split: Split) -> tuple[np.ndarray, ...]:
    """Pictures of a split, uint8 RGB [H, W, 3], short side 256.

    Raises:
        DataError: a package that brings them is not installed.
    """
    found = []
    for (package, folder), names in PICTURES[split].items():
        spec = importlib.util.find_spec(package)  # found, not imported: the packages are large
        for name in names:
            path = Path((spec.submodule_search_locations or [""])[0], folder, name) if spec else Path(name)
            if not path.is_file():
                cure = "pip install scikit-image scikit-learn"
                raise DataError(f"no picture {name}, which {package} brings: {cure}")
            picture = Image.open(path).convert("RGB")
            scale = _SHORT_SIDE / min(picture.size)
            size = (round(picture.width * scale), round(picture.height * scale))
            found.append(np.asarray(picture.resize(size, Image.Resampling.LANCZOS)))
    return tuple(found)


def render_motion(family: int, split: Split, rng: np.random.Generator) -> np.ndarray:
    """A picture under one movement of the camera; played backwards it is the opposite movement.

    Args:
        family: 0 the window moves left, 1 up, 2 zoom in, 3 the content turns clockwise.
        split: which pictures.
        rng: draws the picture, the place, the size and the start of the movement.

    Returns:
        [T, H, W, 3] uint8 RGB.
    """
    pictures = load_pictures(split)
    for _ in range(_MOST_DRAWS):
        picture = pictures[rng.integers(len(pictures))]
        path = _draw_path(family, rng)
        centre = _draw_centre(path, picture.shape[:2], rng)
        if _has_texture(_look(picture, centre, path, FRAMES // 2)):
            break
    frames = np.stack([_look(picture, centre, path, t) for t in range(FRAMES)])  # [T, H, W, 3]
    gain, offset = rng.uniform(0.8, 1.2), rng.uniform(-20, 20)
    return _as_uint8((frames - 128.0) * gain + 128 + offset)


def _draw_path(family: int, rng: np.random.Generator) -> _Path:
    scale = np.full(FRAMES, np.exp(rng.uniform(np.log(0.8), np.log(1.3))))
    angle = np.full(FRAMES, rng.uniform(0, 2 * np.pi))  # the full circle: how a picture stands says nothing
    shift = np.zeros((FRAMES, 2))
    if family in (0, 1):
        along = -rng.uniform(14, 30) * SIDE / 64 * _TIME * scale  # output pixels at that scale
        across = (np.cos(angle), np.sin(angle)) if family == 0 else (-np.sin(angle), np.cos(angle))
        shift = np.stack([along * part for part in across], axis=1)
    elif family == 2:
        scale = scale * rng.uniform(1.3, 1.8) ** -_TIME
    else:
        angle = angle - np.deg2rad(rng.uniform(25, 60)) * _TIME
    return _Path(shift, scale, angle)


def _draw_centre(path: _Path, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Anywhere such that the circle around the window stays inside the picture in every frame; (x, y)."""
    reach = SIDE / 2 * np.sqrt(2) * path.scale[:, None]
    low = (reach - path.shift).max(axis=0)
    high = (np.array(size[::-1]) - 1 - reach - path.shift).min(axis=0)
    return rng.uniform(low, high)


def _look(picture: np.ndarray, centre: np.ndarray, path: _Path, t: int) -> np.ndarray:
    """What the window shows in frame t: uint8 [H, W, 3]."""
    x, y = _turn(_X, _Y, path.angle[t])
    x = centre[0] + path.shift[t, 0] + path.scale[t] * x
    y = centre[1] + path.shift[t, 1] + path.scale[t] * y
    return cv2.remap(picture, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)


def _turn(x: np.ndarray, y: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    return np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y


def _has_texture(frame: np.ndarray) -> bool:
    grey = frame.mean(axis=2)
    return all(np.abs(np.diff(grey, axis=axis)).mean() > _LEAST_TEXTURE for axis in (0, 1))


def _as_uint8(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)


# A pattern: coordinates [H, W] in periods -> where positive the second colour, about -1..1.
PATTERNS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "plain": lambda u, v: np.full_like(u, -1.0),
    "striped": lambda u, v: np.sin(2 * np.pi * u),
    "zigzag": lambda u, v: np.sin(2 * np.pi * (u + np.abs(v % 2 - 1))),
    "chequered": lambda u, v: np.sin(np.pi * u) * np.sin(np.pi * v),
    "dotted": lambda u, v: (np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v)) / 2 - 0.3,
    "gridded": lambda u, v: np.maximum(np.cos(2 * np.pi * u), np.cos(2 * np.pi * v)) - 0.75,
    "ringed": lambda u, v: np.sin(2 * np.pi * np.hypot(u, v)),
    "rayed": lambda u, v: np.sin(5 * np.arctan2(v, u)),
}


def render_ball(pattern: str, split: Split, rng: np.random.Generator) -> np.ndarray:
    """A ball with a pattern that drifts, turns and grows before a picture under a movement of its own.

    Nothing but the pattern says which class it is: colours, sizes and movements are drawn without it.

    Args:
        pattern: a key of PATTERNS.
        split: which pictures.
        rng: draws all the rest.

    Returns:
        [T, H, W, 3] uint8 RGB.
    """
    frames = render_motion(int(rng.integers(4)), split, rng)[:: rng.choice([-1, 1])].astype(np.float64)
    colours = _draw_colours(rng)  # [2, 3]
    radius, period = rng.uniform(18, 26), rng.uniform(8, 13)
    heading, way = rng.uniform(0, 2 * np.pi), rng.uniform(0, 20)
    middle = rng.uniform(-8, 8, size=2) + np.outer(_TIME * way, [np.cos(heading), np.sin(heading)])  # [T, 2]
    angle = rng.uniform(0, 2 * np.pi) + np.deg2rad(rng.uniform(-60, 60)) * _TIME
    scale = np.exp(rng.uniform(-0.25, 0.25) * _TIME)
    for t in range(FRAMES):
        x, y = _turn((_X - middle[t, 0]) / scale[t], (_Y - middle[t, 1]) / scale[t], angle[t])
        second = (0.5 + 3 * PATTERNS[pattern](x / period, y / period)).clip(0, 1)[..., None]  # soft: no stairs
        ball = colours[0] + (colours[1] - colours[0]) * second  # [H, W, 3]
        inside = (radius - np.hypot(x, y) + 0.5).clip(0, 1)[..., None]
        frames[t] += (ball - frames[t]) * inside
    return _as_uint8(frames)


def _draw_colours(rng: np.random.Generator) -> np.ndarray:
    """Two colours that differ in brightness by 80 grey levels or more, [2, 3]."""
    while True:
        colours = rng.uniform(0, 255, size=(2, 3))
        if abs(np.subtract(*colours.mean(axis=1))) >= 80:
            return colours
