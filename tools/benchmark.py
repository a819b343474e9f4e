"""Measure densevl against plain forms of the same jobs: python tools/benchmark.py [--quick] [--json FILE]."""
import argparse, json  # noqa: E401, I001
from pathlib import Path
from densevl.bench import as_table, run_suite
from densevl.core.files import write_atomic

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewest pairs: about a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    arguments = parser.parse_args()
    report = run_suite(quick=arguments.quick)
    if arguments.json:
        write_atomic(arguments.json, json.dumps(report, indent=1).encode())
    print(as_table(report))
