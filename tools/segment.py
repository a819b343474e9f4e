"""The same as `densevl segment`."""

import sys

from densevl.cli.app import main

if __name__ == "__main__":
    sys.exit(main(["segment", *sys.argv[1:]]))
