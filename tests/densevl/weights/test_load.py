from __future__ import annotations

import pickle
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from densevl.core.errors import WeightsError
from densevl.weights import WeightsRow, file_hash, load_strict, read_field, read_state_dict, table

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning", "ignore:Detected pickle protocol")

TENSORS = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.tensor([1.0, 2.0])}


def assert_read(path: Path, **options) -> None:
    found = read_state_dict(path, **options)
    assert set(found) == set(TENSORS)
    for key, tensor in TENSORS.items():
        assert torch.equal(found[key], tensor)


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_torch_files_are_read_whatever_wraps_them(tmp_path: Path, wrapper: str | None, prefix: str) -> None:
    content = {prefix + key: value for key, value in TENSORS.items()}
    torch.save(content if wrapper is None else {"epoch": 3, wrapper: content}, tmp_path / "w.pt")
    assert_read(tmp_path / "w.pt")


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "w.safetensors")
    assert_read(tmp_path / "w.safetensors")


def test_a_prefix_that_not_every_key_has_stays(tmp_path: Path) -> None:
    torch.save({"module.a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "w.pt")
    assert set(read_state_dict(tmp_path / "w.pt")) == {"module.a", "b"}


def save_torchscript(path: Path) -> Path:
    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(3, 2)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.a(pixels)

    holder = Holder()
    holder.load_state_dict(TENSORS)
    torch.jit.save(torch.jit.script(holder), str(path))
    return path


def test_a_torchscript_archive_needs_trust(tmp_path: Path) -> None:
    path = save_torchscript(tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="--trust"):
        read_state_dict(path)
    assert_read(path, trust=True)


def test_a_torchscript_archive_of_known_hash_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_torchscript(tmp_path / "w.pt")
    row = WeightsRow(name="w", source="https://host/w.pt", licence="MIT", sha256=file_hash(path))
    monkeypatch.setattr(table, "_ROWS", (row,))
    assert_read(path)


class _Trap:
    ran = False

    def __reduce__(self):
        return (_Trap.spring, ())

    @staticmethod
    def spring() -> None:
        _Trap.ran = True


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": _Trap()}, tmp_path / "w.pt")
    (tmp_path / "raw.bin").write_bytes(pickle.dumps(_Trap()))
    for name in ("w.pt", "raw.bin"):
        with pytest.raises(WeightsError, match="cannot be read as tensors"):
            read_state_dict(tmp_path / name, trust=True)
    assert not _Trap.ran


def save_with_config_node(path: Path, module: str) -> None:
    """Tensors beside a config of another package's class, as published checkpoints have it."""

    class CfgNode(dict):
        pass

    CfgNode.__module__, CfgNode.__qualname__ = module, "CfgNode"
    modules = {name: types.ModuleType(name) for name in (module.partition(".")[0], module)}
    modules[module].CfgNode = CfgNode
    node = CfgNode(lr=0.1, data=CfgNode(root="videos"))
    node.__dict__["__immutable__"] = True
    with pytest.MonkeyPatch.context() as patch:  # gone again when the file is read
        for name, stand_in in modules.items():
            patch.setitem(sys.modules, name, stand_in)
        torch.save({"model": {f"module.{key}": value for key, value in TENSORS.items()}, "config": node}, path)


def test_a_yacs_config_beside_the_tensors_is_read_without_yacs(tmp_path: Path) -> None:
    save_with_config_node(tmp_path / "w.pth", "yacs.config")
    assert_read(tmp_path / "w.pth")
    assert not [entry for entry in torch.serialization.get_safe_globals() if "yacs" in str(entry)]


def test_another_class_beside_the_tensors_is_refused_and_named(tmp_path: Path) -> None:
    save_with_config_node(tmp_path / "w.pth", "other.config")
    with pytest.raises(WeightsError, match=r"w\.pth cannot be read as tensors .*save its state_dict\(\) alone"):
        read_state_dict(tmp_path / "w.pth")


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all"])
def test_a_damaged_file_is_a_weights_error(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=f"{name} cannot be read as tensors"):
        read_state_dict(tmp_path / name)


def test_a_truncated_file_is_a_weights_error(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1000)}, tmp_path / "w.safetensors")
    torch.save({"a": torch.zeros(1000)}, tmp_path / "w.pt")
    for name in ("w.safetensors", "w.pt"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-500])
        with pytest.raises(WeightsError, match="damaged"):
            read_state_dict(path)


@pytest.mark.parametrize("content", [torch.zeros(3), [1, 2], {}, {"state_dict": {}}, {"lr": 0.1}])
def test_a_file_without_named_tensors_is_a_weights_error(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="state_dict"):
        read_state_dict(tmp_path / "w.pt")


def test_an_absent_file_is_a_weights_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights file"):
        read_state_dict(tmp_path / "w.pt")


def make_module() -> nn.Module:
    return nn.ModuleDict({"a": nn.Linear(3, 2), "head": nn.Linear(2, 1)})


def test_what_fits_is_copied_and_counted() -> None:
    module = make_module()
    weights = {key: torch.full_like(value, 2.0) for key, value in module.state_dict().items()}
    report = load_strict(module, weights, name="thing")
    assert set(report.matched) == set(weights)
    assert report.missing == report.unexpected == ()
    assert all(torch.equal(value, weights[key]) for key, value in module.state_dict().items())
    weights["a.bias"].zero_()
    assert module["a"].bias.sum() == 4  # a copy: the caller's tensors are his


def test_half_precision_weights_are_cast_to_the_modules_dtype() -> None:
    module = make_module()
    load_strict(module, {key: value.half() for key, value in module.state_dict().items()}, name="thing")
    assert {value.dtype for value in module.state_dict().values()} == {torch.float32}


def test_missing_and_extra_tensors_stop_with_counts_and_names_and_change_nothing() -> None:
    module = make_module()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    weights = {"a.weight": torch.zeros(2, 3), "a.bias": torch.zeros(2), "extra": torch.zeros(1)}
    with pytest.raises(WeightsError) as caught:
        load_strict(module, weights, name="thing")
    message = str(caught.value)
    assert "thing" in message
    assert "2 of 4 tensors match, 2 missing (head.weight, head.bias), 1 extra (extra)" in message
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_what_the_config_names_may_be_missing_or_extra() -> None:
    module = make_module()
    weights = {"a.weight": torch.zeros(2, 3), "a.bias": torch.zeros(2), "extra": torch.zeros(1)}
    report = load_strict(module, weights, name="thing", allow_missing=["head.*"], allow_unexpected=["ext*"])
    assert report.missing == ("head.weight", "head.bias")
    assert report.unexpected == ("extra",)
    assert "2 of 4 tensors match" in str(report)


def test_a_file_may_have_names_of_its_own_and_is_reported_in_them() -> None:
    module = make_module()
    weights = {f"old_{key}": torch.full_like(value, 2.0) for key, value in module.state_dict().items()}
    report = load_strict(module, weights, name="thing", file_name="old_{}".format)
    assert set(report.matched) == set(weights)
    assert all((value == 2).all() for value in module.state_dict().values())
    weights["a.bias"] = weights.pop("old_a.bias")
    with pytest.raises(WeightsError, match=r"1 missing \(old_a\.bias\), 1 extra \(a\.bias\)"):
        load_strict(module, weights, name="thing", file_name="old_{}".format)


def test_another_shape_is_named_with_both_shapes() -> None:
    module = make_module()
    weights = dict(module.state_dict())
    weights["a.weight"] = torch.zeros(2, 5)
    with pytest.raises(WeightsError, match=r"a\.weight is \[2, 5\] in the file and \[2, 3\] in the model"):
        load_strict(module, weights, name="thing", allow_missing=["*"], allow_unexpected=["*"])


def test_a_field_beside_the_tensors_is_read_from_both_kinds_of_file(tmp_path: Path) -> None:
    torch.save({"epoch": 4, "model": TENSORS}, tmp_path / "a.pt")
    save_file(TENSORS, tmp_path / "a.safetensors", metadata={"fields": '{"epoch": 4}'})
    for path in tmp_path.iterdir():
        assert read_field(path, "epoch") == 4 and read_field(path, "tap") is None
        path.write_bytes(path.read_bytes()[:20])
        with pytest.raises(WeightsError, match="damaged"):
            read_field(path, "epoch")


@pytest.mark.parametrize(
    ("module", "heavy"),
    [("densevl.weights", "torch"), ("densevl.cli.models", "torch"), ("densevl.backbones", "open_clip")],
)
def test_importing_a_room_loads_nothing_it_may_not_need(module: str, heavy: str) -> None:
    code = f"import sys, {module}; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
