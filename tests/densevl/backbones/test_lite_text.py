from __future__ import annotations

from pathlib import Path

import pytest
import torch

from densevl.backbones import lite_text
from densevl.backbones.lite_text import SentenceEncoder, known_vectors, name_vectors, read_anchors, read_class_names
from densevl.core.errors import WeightsError
from densevl.vocab import load_templates
from tests.packaged_lite import lite


def test_sentences_become_unit_vectors_in_their_order_whatever_the_batch() -> None:
    sentences = ["a very long sentence about nothing at all", "cat", "the cat", "a dog in a car"]
    vectors = lite().encode_text(sentences)
    singles = torch.cat([lite().encode_text([sentence]) for sentence in sentences])
    assert vectors.shape == (4, 384)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(vectors, singles, atol=1e-5, rtol=1e-4)
    similar = vectors @ vectors.T
    assert similar[1, 2] > 0.8 > similar[1, 0]


def test_vectors_of_known_names_are_kept_and_damage_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DENSEVL_CACHE", str(tmp_path))
    monkeypatch.setattr(lite_text, "read_class_names", lambda: ("cat", "dog"))
    monkeypatch.setattr(lite_text, "read_anchors", lambda: [("sky", (0,))])
    encoder = lite().sentence_encoder
    first = known_vectors(encoder, "w")
    torch.testing.assert_close(first, name_vectors(encoder, ["cat", "dog", "sky"]))
    assert "once on this machine" in caplog.text

    def refuse(sentences: object) -> torch.Tensor:
        raise AssertionError("read again")

    torch.testing.assert_close(known_vectors(refuse, "w"), first)  # type: ignore[arg-type]
    (kept,) = (tmp_path / "lite").iterdir()
    for damage in (b"", kept.read_bytes()[:-9], kept.read_bytes()[:-4] + b"\xff\xff\xff\x7f"):
        kept.write_bytes(damage)
        torch.testing.assert_close(known_vectors(encoder, "w"), first)
    with pytest.raises(AssertionError, match="read again"):
        known_vectors(refuse, "other weights")  # type: ignore[arg-type]


def test_known_names_are_read_in_the_templates_of_the_model() -> None:
    assert load_templates(lite().templates) == lite_text.TEMPLATES


def test_an_anchor_phrase_stands_once_and_names_known_classes() -> None:
    anchors = read_anchors()
    phrases = [phrase for phrase, _ in anchors]
    assert len(set(phrases)) == len(phrases) > 500
    assert all(ids for _, ids in anchors)


def test_an_anchor_of_an_unknown_class_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (table := tmp_path / "anchors.json").write_text('{"sky": ["airlinr"]}')
    monkeypatch.setattr(lite_text, "ANCHOR_FILE", table)
    with pytest.raises(WeightsError, match="airlinr"):
        read_anchors()


def test_a_class_name_finds_its_own_classifier_row() -> None:
    rows = lite().image_net.classifier.weight
    rows = torch.nn.functional.normalize(rows - rows.mean(dim=0), dim=1)
    words = lite().match_space(lite().text_map.known_vectors[:1000])
    best = (words @ rows.T).topk(5, dim=1).indices
    hits = best == torch.arange(1000)[:, None]
    assert hits[:, 0].float().mean() > 0.6 and hits.any(dim=1).float().mean() > 0.85


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("kitty", {"tabby cat", "tiger cat", "Egyptian Mau", "Persian cat", "Siamese cat"}),
        ("an old sailing vessel", {"schooner", "sailboat", "pirate ship", "trimaran", "catamaran"}),
        ("a mug of hot coffee", {"coffee mug", "espresso", "tea cup", "coffeemaker"}),
    ],
)
def test_words_that_stand_nowhere_find_what_they_mean(words: str, expected: set[str]) -> None:
    rows = lite().image_net.classifier.weight
    rows = torch.nn.functional.normalize(rows - rows.mean(dim=0), dim=1)
    scores = lite().match_space(lite().encode_text([words])) @ rows.T
    assert read_class_names()[int(scores.argmax())] in expected


def test_a_word_does_not_depend_on_its_neighbours() -> None:
    vectors = lite().encode_text(["sky", "road", "a cat"])
    torch.testing.assert_close(lite().match_space(vectors)[1:2], lite().match_space(vectors[1:2]), atol=1e-5, rtol=1e-4)


def test_a_folder_without_the_tower_is_an_error_with_a_cure(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="pip install"):
        SentenceEncoder(tmp_path)(["a"])
