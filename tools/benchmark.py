"""The same as `densevl benchmark`."""

import sys

from densevl.cli.app import main

sys.exit(main(["benchmark", *sys.argv[1:]]))
