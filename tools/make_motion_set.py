"""Render the two motion sets (appearance, order) as mp4 files with their lists."""

import sys

from video.motion_set import main

sys.exit(main())
