"""The same as `densevl segment`."""

import sys

from densevl.cli.app import main

sys.exit(main(["segment", *sys.argv[1:]]))
