"""Tables and figures of a run as files: csv and JSON, the same for the same content."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from densevl.core.files import write_atomic


def csv_document(rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows as UTF-8 csv; names of files that are no UTF-8 keep their bytes."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def json_document(value: Any) -> bytes:
    """A value as indented JSON with a last line end."""
    return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogateescape") + b"\n"


def write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write a csv file, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomic(path, csv_document(rows))


def write_json(path: Path, value: Any) -> None:
    """Write an indented JSON file, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomic(path, json_document(value))


def finite(value: Any) -> Any:
    """A figure as JSON knows it: NaN is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
