"""Copies the few files of the browser libraries that the pages use to ``web/vendor``.

Usage: ``python scripts/vendor.py [--check]`` (standard library only; ``node_modules`` must be there)

``web/vendor/manifest.json`` lists each file with its SHA-256, and ``--check`` compares the files with it.
Source maps are left out: with them the folder would be ten times as large.
"""

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "web" / "vendor"
MANIFEST = VENDOR / "manifest.json"

# Where the pages enter each library; what these files import of their own library is copied with them.
ENTRIES: dict[str, tuple[str, ...]] = {
    "lit-html": (
        "LICENSE",
        "lit-html.js",
        *(
            f"directives/{name}.js"
            for name in (
                "class-map",
                "guard",
                "if-defined",
                "keyed",
                "live",
                "ref",
                "repeat",
                "style-map",
                "when",
            )
        ),
    ),
    "maplibre-gl": (
        "LICENSE.txt",
        "dist/maplibre-gl.mjs",
        "dist/maplibre-gl-worker.mjs",
        "dist/maplibre-gl.css",
    ),
    "uplot": ("LICENSE", "dist/uPlot.esm.js", "dist/uPlot.min.css"),
}
# Static imports and re-exports of neighbouring files, as minifiers write them: from"./x.js", import"./x.js".
_IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*["'](\.{1,2}/[^"']+)["']""")


def with_imports(library: Path, entries: tuple[str, ...]) -> list[Path]:
    """The entries and, transitively, every file of the library that they import; paths within the library."""
    found: list[Path] = []
    waiting = [Path(entry) for entry in entries]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.append(path)
        if path.suffix in {".js", ".mjs"}:
            waiting.extend(
                (library / path.parent / target).resolve().relative_to(library.resolve())
                for target in _IMPORT.findall((library / path).read_text("utf-8"))
            )
    return sorted(found)


def copy(modules: Path = MODULES, vendor: Path = VENDOR) -> dict[str, str]:
    """Fill ``vendor`` afresh.

    Returns:
        What the manifest holds: path within ``vendor`` to SHA-256.
    """
    fresh = vendor.with_name(vendor.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    digests = {}
    for name, entries in ENTRIES.items():
        for path in with_imports(modules / name, entries):
            # The pages need not know that some libraries keep their files in dist/.
            inside = Path(name, *(part for part in path.parts if part != "dist"))
            (fresh / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(modules / name / path, fresh / inside)
            digests[inside.as_posix()] = _digest(fresh / inside)
    (fresh / "manifest.json").write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n", "utf-8")
    shutil.rmtree(vendor, ignore_errors=True)
    fresh.rename(vendor)
    return digests


def check(vendor: Path = VENDOR) -> list[str]:
    """What is missing or changed in ``vendor``; empty when all is as copied."""
    try:
        digests = json.loads((vendor / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ["manifest.json"]
    return [
        name
        for name, digest in digests.items()
        if not (vendor / name).is_file() or _digest(vendor / name) != digest
    ]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Command line."""
    if sys.argv[1:] == ["--check"]:
        wrong = check()
        if wrong:
            sys.exit(f"web/vendor is not as it was copied: {', '.join(wrong)}; run make setup")
    elif sys.argv[1:]:
        sys.exit("usage: python scripts/vendor.py [--check]")
    else:
        print(f"{len(copy())} files in web/vendor")


if __name__ == "__main__":
    main()
