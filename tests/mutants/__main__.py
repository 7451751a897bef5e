"""The command ``python -m tests.mutants``: measure the mutation score."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.mutants.page import page
from tests.mutants.score import score

_DESCRIPTION = """\
Break the source of every gradient of the library in each small way, and count what the certificate's cases notice.
The exit status is 0 when every mutant is noticed or known to change nothing, else 1.
"""


def main() -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=_DESCRIPTION)
    parser.add_argument("names", nargs="*", metavar="NAME", help="public names such as dense or huber (default: all)")
    parser.add_argument("--quick", action="store_true", help="a sample")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every survivor and every reason, as JSON")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page of the documentation, as Markdown")
    options = parser.parse_args()
    made = score(options.names or None, options.quick)
    print(f"{made}, {made.seconds:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(made.to_dict()) + "\n")
    if options.page:
        options.page.write_text(page(made))
    return 0 if made.ok else 1


if __name__ == "__main__":
    sys.exit(main())
