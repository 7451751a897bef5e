"""``python -m funcnn``: the command line."""

import sys

from funcnn.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
