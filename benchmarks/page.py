"""Puts what a benchmark printed into docs/performance.md: `… | python -m benchmarks.page peers`."""

import re
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs/performance.md"


def replaced(page: str, name: str, output: str) -> str:
    """
    Return the page with the output between the comments that name the benchmark.

    Raises:
        LookupError: there are no such comments.

    """
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    # Without the title that `python -m benchmarks` writes.
    text = re.sub(r"^== .*\n", "", output, flags=re.MULTILINE).strip()
    found, number = re.subn(
        rf"{begin}.*?{end}", lambda _: f"{begin}\n{text}\n\n{end}", page, flags=re.DOTALL
    )
    if not number:
        raise LookupError(f"The page has no place for {name}")
    return found


if __name__ == "__main__":
    PAGE.write_text(replaced(PAGE.read_text(), sys.argv[1], sys.stdin.read()))
