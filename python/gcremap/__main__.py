"""`python -m gcremap`: see `python -m gcremap --help`."""

import sys

from gcremap._cli import main

if __name__ == "__main__":
    sys.exit(main())
