"""`python -m deblurgan_lib` is the command `deblurgan`."""

import sys

from .cli import main

sys.exit(main())
