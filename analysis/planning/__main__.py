"""`python -m analysis.planning`."""

import sys

from analysis.planning import main

if __name__ == "__main__":
    sys.exit(main())
