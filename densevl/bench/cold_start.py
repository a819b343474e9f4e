"""How long a user waits for `densevl --help` in a fresh process, against a program that imports torch first."""

from __future__ import annotations

import subprocess
import sys

from densevl.bench.scenario import Scenario

_OURS = "import densevl.cli.app as app; raise SystemExit(app.main(['--help']))"
_REFERENCE = f"import torch; {_OURS}"


def scenarios() -> list[Scenario]:
    """One fresh process each."""
    return [
        Scenario(
            name="cold-start",
            prepare=lambda: None,
            ours=lambda _: exit_code(_OURS),
            reference=lambda _: exit_code(_REFERENCE),
            compare=lambda _, ours, reference: (ours == reference == 0, float(abs(ours - reference))),
        )
    ]


def exit_code(program: str) -> int:
    """Run a program in a fresh Python and wait for it."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True).returncode
