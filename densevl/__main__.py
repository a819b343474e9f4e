"""`python -m densevl` is `densevl`."""

import sys

from densevl.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
