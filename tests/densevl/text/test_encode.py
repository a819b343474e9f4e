from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from densevl.core.errors import UnknownNameError, UsageError
from densevl.core.stages import TextEncoder
from densevl.text import encode_classes
from densevl.vocab import ClassList
from tests.tiny import tiny_clip

TEMPLATES = ("a photo of a {}.", "{}", "the large {} at night")


class CountingEncoder:
    """A text tower that hashes letters; it counts the prompts it saw and matches spaces by doubling."""

    templates = "plain"

    def __init__(self, weights_id: str = "w") -> None:
        self.weights_id = weights_id
        self.prompts: list[str] = []

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        self.prompts += prompts
        rows = [[sum(ord(c) ** (k + 1) % 97 for c in prompt) for k in range(4)] for prompt in prompts]
        return torch.tensor(rows, dtype=torch.float32)

    def match_space(self, vectors: Tensor) -> Tensor:
        return torch.cat([vectors, vectors], dim=1) * 0.5**0.5


def test_a_vector_is_the_normalised_mean_of_normalised_prompts() -> None:
    clip_model = tiny_clip()
    bank = encode_classes(["cat", "traffic light"], clip_model, TEMPLATES, cache=False)
    for k, name in enumerate(bank.class_names):
        prompts = F.normalize(clip_model.text_features([template.format(name) for template in TEMPLATES]), dim=-1)
        assert_close(bank.vectors[k], F.normalize(prompts.mean(0), dim=0), atol=1e-6, rtol=0)
    assert_close(bank.vectors.norm(dim=1), torch.ones(2))


def test_a_class_list_gives_a_row_a_synonym() -> None:
    classes = ClassList(("car", "sky"), (("car", "automobile"), ("sky",)))
    bank = encode_classes(classes, CountingEncoder(), "name", cache=False)
    assert bank.class_names == ("car", "sky")
    assert bank.class_index.tolist() == [0, 0, 1]
    single = encode_classes(["automobile"], CountingEncoder(), "name", cache=False)
    assert_close(bank.vectors[1], single.vectors[0])


def test_a_text_is_read_in_the_grammar_and_a_sequence_as_it_is() -> None:
    assert encode_classes("car, automobile; sky", CountingEncoder(), cache=False).class_index.tolist() == [0, 0, 1]
    assert encode_classes(["car, automobile"], CountingEncoder(), cache=False).class_names == ("car, automobile",)


def test_vectors_pass_into_the_space_of_the_features_after_the_mean() -> None:
    assert isinstance(CountingEncoder(), TextEncoder)
    assert encode_classes(["cat"], CountingEncoder(), cache=False).vectors.shape == (1, 8)


def test_the_towers_own_templates_are_the_default() -> None:
    encoder = CountingEncoder()
    encode_classes(["cat"], encoder, cache=False)
    assert encoder.prompts == ["a photo of a cat."]


def test_a_second_call_encodes_nothing_and_gives_the_same(tmp_path: Path) -> None:
    first, second = CountingEncoder(), CountingEncoder()
    bank = encode_classes(["cat", "dog"], first, TEMPLATES, cache=tmp_path)
    again = encode_classes(["dog", "cat", "sky"], second, TEMPLATES, cache=tmp_path)
    assert second.prompts == [template.format("sky") for template in TEMPLATES]
    assert torch.equal(again.vectors[:2], bank.vectors[[1, 0]])


def test_other_weights_and_other_templates_are_encoded_anew(tmp_path: Path) -> None:
    encode_classes(["cat"], CountingEncoder(), TEMPLATES, cache=tmp_path)
    for encoder, templates in ((CountingEncoder("v"), TEMPLATES), (CountingEncoder(), TEMPLATES[:2])):
        encode_classes(["cat"], encoder, templates, cache=tmp_path)
        assert len(encoder.prompts) == len(templates)


def test_a_damaged_vector_is_encoded_anew(tmp_path: Path) -> None:
    bank = encode_classes(["cat", "dog"], CountingEncoder(), TEMPLATES, cache=tmp_path)
    for file in [path for path in tmp_path.rglob("*") if path.is_file()]:
        file.write_bytes(file.read_bytes()[:-4])
    encoder = CountingEncoder()
    assert torch.equal(encode_classes(["cat", "dog"], encoder, TEMPLATES, cache=tmp_path).vectors, bank.vectors)
    assert len(encoder.prompts) == 2 * len(TEMPLATES)


def test_the_cache_lies_in_our_folder_and_can_be_off(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode_classes(["cat"], CountingEncoder(), cache=False)
    monkeypatch.setenv("DENSEVL_NO_CACHE", "1")
    encode_classes(["cat"], CountingEncoder())
    assert not (bare_machine / "cache").exists()
    monkeypatch.delenv("DENSEVL_NO_CACHE")
    encode_classes(["cat"], CountingEncoder())
    assert len([path for path in (bare_machine / "cache" / "text").rglob("*") if path.is_file()]) == 1


def test_a_name_asked_for_twice_is_encoded_once() -> None:
    encoder = CountingEncoder()
    bank = encode_classes(ClassList(("a", "b"), (("x",), ("x", "y"))), encoder, "name", cache=False)
    assert encoder.prompts == ["x", "y"]
    assert torch.equal(bank.vectors[0], bank.vectors[1])


def test_many_names_are_encoded_in_batches_and_stay_in_order() -> None:
    names = [f"thing {index}" for index in range(900)]
    many = encode_classes(names, CountingEncoder(), TEMPLATES, cache=False)
    few = encode_classes(names[-3:], CountingEncoder(), TEMPLATES, cache=False)
    assert_close(many.vectors[-3:], few.vectors)


def test_braces_in_a_name_are_letters() -> None:
    encoder = CountingEncoder()
    encode_classes(["{0}{cat}"], encoder, cache=False)
    assert encoder.prompts == ["a photo of a {0}{cat}."]


def test_the_bank_carries_no_graph_but_is_fit_for_training() -> None:
    bank = encode_classes(["cat"], tiny_clip().requires_grad_(True), cache=False)
    assert not bank.vectors.requires_grad
    assert not bank.vectors.is_inference()


@pytest.mark.parametrize("templates", [[], ["no place"], ["{} and {}"]])
def test_a_template_has_one_place_for_the_name(templates: list[str]) -> None:
    with pytest.raises(UsageError, match=r"one \{\} where the name goes"):
        encode_classes(["cat"], CountingEncoder(), templates, cache=False)


def test_no_classes_and_unknown_sets_are_refused() -> None:
    with pytest.raises(UsageError, match="at least one name"):
        encode_classes([], CountingEncoder(), cache=False)
    with pytest.raises(UnknownNameError):
        encode_classes(["cat"], CountingEncoder(), "imagenet81", cache=False)
