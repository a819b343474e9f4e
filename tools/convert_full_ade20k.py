"""Convert the full ADE20K to the 150 classes and the layout of the scene parsing benchmark."""

import sys

from densevl.data.full_ade20k import main

sys.exit(main())
