"""Prompt templates: a set is a tuple of strings with one `{}` each."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from densevl.core.errors import DataError, UnknownNameError

_OPENAI_COUNT = 80
SETS = {
    "name": ("{}",),
    "plain": ("a photo of a {}.",),
    "lite": ("{}", "a photo of a {}."),
    # Source: CLIP-DINOiser, ECCV 2024, its MaskCLIP without the ImageNet templates: LAION weights, other weights
    "laion2": ("a photo of a {}", "a photo of an {}"),
    "plain1": ("a {}",),
}


def template_names() -> tuple[str, ...]:
    """The names of the sets we ship."""
    return ("imagenet80", *SETS)


def load_templates(name_or_path: str | Path) -> tuple[str, ...]:
    """The templates of a set, or of a file with one a line (blank lines and `#` lines do not count).

    `template.replace("{}", name)` and `template.format(name)` give the same prompt.

    Raises:
        UnknownNameError: neither a set nor a file; names the nearest.
        DataError: a file that cannot be read, is empty, or has a line without exactly one `{}`.
    """
    name = str(name_or_path)
    if name == "imagenet80":
        return _imagenet80()
    if name in SETS:
        return SETS[name]
    path = Path(name_or_path)
    if path.is_file() or path.suffix == ".txt":
        return _read_templates(path)
    raise UnknownNameError("template set", name, template_names(), "A file of your own is given by its path.")


@lru_cache(maxsize=1)
def _imagenet80() -> tuple[str, ...]:
    """The 80 prompts of OpenAI's ImageNet evaluation, as open_clip ships them.

    Source: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021.
    """
    from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES

    templates = tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)
    if len(templates) != _OPENAI_COUNT:
        raise DataError(f"expected {_OPENAI_COUNT} ImageNet templates in open_clip, got {len(templates)}; reinstall it")
    return templates


def _read_templates(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the template file {path}: {error}; give a UTF-8 text file") from error
    templates = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.count("{}") != 1 or any(mark in text.replace("{}", "") for mark in "{}"):
            what = f"expected exactly one {{}} and no other brace, got '{text}'"
            raise DataError(f"{path} line {number}: {what}; write the place of the name as {{}}")
        templates.append(text)
    if not templates:
        raise DataError(f"{path}: no template in it; write one a line, such as 'a photo of a {{}}.'")
    return tuple(templates)
