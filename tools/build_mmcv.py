"""Build mmcv with its compiled ops and put it in the place of mmcv-lite: docs/mmseg.md."""

import sys

from densevl.interop.build_mmcv import main

sys.exit(main())
