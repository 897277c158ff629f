"""`python -m analysis.verify`."""

import sys

from analysis.verify import main

if __name__ == "__main__":
    sys.exit(main())
