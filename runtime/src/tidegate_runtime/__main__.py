"""`python -m tidegate_runtime`, the same as `tidegate-score`."""

import sys

from tidegate_runtime.cli import main

sys.exit(main())
