"""The same as `densevl eval`."""

import sys

from densevl.cli.app import main

sys.exit(main(["eval", *sys.argv[1:]]))
