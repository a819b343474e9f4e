import subprocess
import sys


def test_vocab_and_its_verb_load_nothing_heavy():
    code = "import sys, densevl.vocab, densevl.cli.check_classes, densevl.cli.evaluate; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "densevl.vocab.classes" in loaded
    assert not {"torch", "numpy", "open_clip", "mmengine"} & set(loaded)
