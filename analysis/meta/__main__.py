"""`python -m analysis.meta`."""

import sys

from analysis.meta import main

if __name__ == "__main__":
    sys.exit(main())
