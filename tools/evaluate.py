"""The same as `densevl eval`."""

import sys

from densevl.cli.app import main

if __name__ == "__main__":
    sys.exit(main(["eval", *sys.argv[1:]]))
