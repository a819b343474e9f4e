from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from densevl.core.errors import UsageError
from densevl.engine import runtime
from densevl.engine.runtime import (
    autocast,
    available_cores,
    available_memory,
    is_out_of_memory,
    pick_batch_size,
    pick_device,
    pick_precision,
    seed_everything,
    versions,
)

CPU = torch.device("cpu")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)


def test_importing_the_engine_loads_no_torch() -> None:
    code = "import sys, densevl.engine.runtime, densevl.engine; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.usefixtures("no_gpu")
def test_auto_is_the_cpu_without_a_gpu() -> None:
    assert pick_device("auto") == CPU


@pytest.mark.usefixtures("two_gpus")
def test_auto_prefers_cuda() -> None:
    assert pick_device("auto").type == "cuda"
    assert pick_device("cuda:1") == torch.device("cuda:1")


def test_auto_takes_mps_before_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    assert pick_device("auto").type == "mps"


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("text", ["cuda", "cuda:7", "mps"])
def test_an_absent_device_says_which_torch_is_installed_and_what_to_do(text: str) -> None:
    with pytest.raises(UsageError, match="or use --device cpu") as caught:
        pick_device(text)
    assert f"--device {text} asked" in str(caught.value)
    assert torch.__version__ in str(caught.value)


@pytest.mark.usefixtures("no_gpu")
def test_a_build_without_cuda_is_told_from_a_missing_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.version.cuda", None)
    with pytest.raises(UsageError, match="install a CUDA build"):
        pick_device("cuda")
    monkeypatch.setattr("torch.version.cuda", "12.8")
    with pytest.raises(UsageError, match="nvidia-smi"):
        pick_device("cuda")


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_number_beyond_the_last_is_refused() -> None:
    with pytest.raises(UsageError, match="cuda:0 to cuda:1"):
        pick_device("cuda:7")


@pytest.mark.parametrize("text", ["gpu", "cuda:", "cuda:x", "cpu:1", "mps:0", ""])
def test_a_word_that_is_no_device_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected auto"):
        pick_device(text)


def test_auto_precision_is_exact_on_every_device() -> None:
    for kind in ("cpu", "cuda", "mps"):
        assert pick_precision("auto", torch.device(kind)) == torch.float32


def test_half_precision_is_given_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: True)
    assert pick_precision("bf16", CPU) == torch.bfloat16
    assert pick_precision("fp16", torch.device("cuda")) == torch.float16
    assert pick_precision("bf16", torch.device("cuda")) == torch.bfloat16


def test_fp16_on_the_cpu_is_refused_with_the_cure() -> None:
    with pytest.raises(UsageError, match="bf16"):
        pick_precision("fp16", CPU)


def test_bf16_on_an_old_gpu_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: False)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "Old GPU")
    with pytest.raises(UsageError, match=r"Old GPU.*fp16"):
        pick_precision("bf16", torch.device("cuda"))


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UsageError, match="expected auto, fp32, fp16, bf16"):
        pick_precision("int8", CPU)


def test_autocast_computes_in_the_asked_type() -> None:
    square = torch.eye(2)
    with autocast(CPU, torch.bfloat16):
        assert (square @ square).dtype == torch.bfloat16
    with autocast(CPU, torch.float32):
        assert (square @ square).dtype == torch.float32


def test_a_seed_repeats_every_generator() -> None:
    def draw() -> tuple[float, float, float]:
        seed_everything(3)
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    assert draw() == draw()


def test_this_machine_has_memory_and_cores() -> None:
    assert available_memory(CPU) > 1 << 20
    assert available_cores() >= 1


def test_free_memory_reads_mem_available(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       100 kB\nMemAvailable:    40 kB\n")
    assert runtime._free_memory(meminfo) == 40 * 1024
    assert runtime._free_memory(tmp_path / "absent") > 1 << 20


def write_limit(folder: Path, names: tuple[str, str], limit: str, usage: int, stat: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(stat)


def test_a_container_limit_of_version_two_counts_at_every_height(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("0::/slice/job\n")
    names = ("memory.max", "memory.current")
    write_limit(tmp_path / "fs/slice", names, "1000", 700, "anon 1\ninactive_file 200\n")
    write_limit(tmp_path / "fs/slice/job", names, "max", 600, "inactive_file 0\n")
    assert runtime._cgroup_headrooms(tmp_path / "fs", own) == [500]


def test_a_container_limit_of_version_one_counts(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("5:cpu:/job\n4:memory:/job\n0::/\n")
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
    write_limit(tmp_path / "fs/memory/job", names, "1000", 900, "inactive_file 1\ntotal_inactive_file 50\n")
    assert runtime._cgroup_headrooms(tmp_path / "fs", own) == [150]
    assert runtime._cgroup_headrooms(tmp_path / "fs", tmp_path / "absent") == []


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        np._core._exceptions._ArrayMemoryError((1 << 40,), np.dtype("u1")),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:119] . DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
    ],
)
def test_running_out_of_memory_is_recognised(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ValueError("out of memory"), KeyError("x")])
def test_other_errors_are_not_memory(error: Exception) -> None:
    assert not is_out_of_memory(error)


def test_torch_s_own_refusal_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_opencv_s_own_refusal_is_recognised() -> None:
    import cv2

    assert is_out_of_memory(cv2.error("OpenCV(4.10) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate"))


def test_versions_name_python_and_torch_without_importing() -> None:
    found = versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["torch"].split("+")[0] == torch.__version__.split("+")[0]


def test_memory_in_use_is_counted() -> None:
    assert runtime.peak_memory(torch.device("cpu")) > 50 * 2**20


def test_a_batch_is_as_asked_for_else_one_on_a_cpu_and_more_elsewhere() -> None:
    assert [pick_batch_size(asked, CPU) for asked in (None, 3)] == [1, 3]
    assert pick_batch_size(None, torch.device("meta")) > 1 and pick_batch_size(2, torch.device("meta")) == 2
