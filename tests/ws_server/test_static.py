"""Pages from a folder, and nothing else from the disk."""

from pathlib import Path

import pytest

from ws_server import static
from ws_server.static import MIME, Pages


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """A small web folder beside a secret."""
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "web"
    (root / "lib").mkdir(parents=True)
    (root / "lib" / "world.js").write_text("export {}")
    (root / ".hidden.js").write_text("hidden")
    (root / "script.py").write_text("no page")
    (root / "console.html").write_text("<!doctype html>")
    (root / "worker.html").write_text("<!doctype html>")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    return Pages(root)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "console.html"),
        ("/console.html", "console.html"),
        ("/worker", "worker.html"),
        ("/lib/world.js", "world.js"),
        ("//lib//world.js", "world.js"),
        ("/lib", None),
        ("/nope.js", None),
        ("/.hidden.js", None),
        ("/script.py", None),
        ("/../secret.txt", None),
        ("/lib/../../secret.txt", None),
        ("/..\\secret.txt", None),
        ("/link.txt", None),
        ("/console.html\0.js", None),
    ],
)
def test_only_files_of_the_folder_with_known_types_are_found(
    pages: Pages, path: str, name: str | None
) -> None:
    """No way out of the folder, nothing hidden, nothing of an unknown type."""
    found = pages.find(path)
    assert (found.name if found else None) == name


def test_the_folder_is_that_of_the_checkout() -> None:
    """In a wheel it lies inside the package, here beside it."""
    assert static.folder() == Path(static.__file__).parent.parent / "web"


def test_every_file_of_our_pages_has_a_type() -> None:
    """A file without a known type would not be served."""
    sources = [
        p
        for p in static.folder().rglob("*")
        if p.is_file() and p.suffix and not p.name.startswith(".") and not p.name.endswith(".d.ts")
    ]
    assert [p.name for p in sources if p.suffix not in MIME] == []
