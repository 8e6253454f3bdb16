"""``python -m bench [NAME [options]]``."""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent


def names() -> list[str]:
    """Modules of this folder that are measurements."""
    return sorted(p.stem for p in HERE.glob("*.py") if not p.stem.startswith("_"))


def main(argv: list[str]) -> int:
    """Run one, with the rest of the arguments as its own."""
    if not argv or argv[0] not in names():
        for name in names():
            about = (importlib.import_module(f"bench.{name}").__doc__ or "").strip().splitlines()[0]
            print(f"  {name:16} {about}")
        return 0 if not argv else 2
    sys.argv = [f"python -m bench {argv[0]}", *argv[1:]]
    importlib.import_module(f"bench.{argv[0]}").main()
    return 0


sys.exit(main(sys.argv[1:]))
