"""`densevl check-classes LIST|FILE|TEXT`: how a class list is read, and what may go wrong with it."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from densevl.core.errors import EXIT_DONE, ClassListError

if TYPE_CHECKING:
    from densevl.vocab import Finding, Reading

HELP = "show how a class list is read, and what may go wrong with it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument(
        "classes", metavar="LIST|FILE|TEXT", help="a shipped list, a file, or 'road; car, automobile; sky'"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Read, judge, print.

    Returns:
        0 when there are warnings at most, 3 when the list cannot be used.
    """
    from densevl.vocab import lint_classes, read_classes

    reading = read_classes(args.classes)
    findings = lint_classes(reading)
    faults = sum(finding.fault for finding in findings)
    print(_as_json(reading, findings) if args.json else _as_text(reading, findings))
    return ClassListError.exit_code if faults else EXIT_DONE


def _as_json(reading: Reading, findings: tuple[Finding, ...]) -> str:
    from dataclasses import asdict

    return json.dumps(
        {
            "source": reading.source,
            "rule": reading.rule,
            "usable": not any(finding.fault for finding in findings),
            "unit": reading.unit,
            "classes": [asdict(entry) for entry in reading.entries],
            "findings": [asdict(finding) for finding in findings],
        },
        ensure_ascii=False,
    )


def _as_text(reading: Reading, findings: tuple[Finding, ...]) -> str:
    queries = sum(len(entry.queries) for entry in reading.entries)
    width = max((len(entry.name) for entry in reading.entries), default=0)
    count = f"{_many(len(reading.entries), 'class')}, {_many(queries, 'query')}"
    rows = [f"{reading.source}: {count} ({reading.rule})"]
    for k, entry in enumerate(reading.entries):
        asked = "" if entry.queries == (entry.name,) else f"  asked for with: {', '.join(entry.queries)}"
        rows.append(f"{k:4d}  {entry.name:{width}}  {reading.unit} {entry.line}{asked}")
    for finding in findings:
        word = "fault" if finding.fault else "warning"
        place = reading.where(finding.line)
        rows.append(f"{word}: {place}: {finding.message}; {finding.suggestion} [{finding.kind}]")
    faults = sum(finding.fault for finding in findings)
    rows.append(f"{_many(faults, 'fault')}, {_many(len(findings) - faults, 'warning')}")
    return "\n".join(rows)


def _many(count: int, noun: str) -> str:
    plural = {"class": "classes", "query": "queries"}.get(noun, f"{noun}s")
    return f"{count} {noun if count == 1 else plural}"
