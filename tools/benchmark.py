"""The same as `densevl benchmark`."""

import sys

from densevl.cli.app import main

if __name__ == "__main__":  # the processes that measure memory import this file again
    sys.exit(main(["benchmark", *sys.argv[1:]]))
