"""`python -m analysis.planning`."""

import sys

from analysis.planning import main

sys.exit(main())
