"""The pages, served as they are written: no build step, revalidated by ETag at every load."""

from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

# By hand: the operating system's table differs from machine to machine, and a module of the wrong type
# does not run.
MIME = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".pbf": "application/x-protobuf",
    ".pmtiles": "application/octet-stream",
    ".map": "application/json",
    ".txt": "text/plain; charset=utf-8",
}


def folder() -> Path:
    """Where the pages are: beside this file in a wheel, beside this folder in a checkout."""
    here = Path(__file__).parent
    return here / "web" if (here / "web").is_dir() else here.parent / "web"


class Pages:
    """Files of one folder.

    Args:
        root: the folder; nothing outside it and no hidden file is ever served.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def find(self, path: str) -> Path | None:
        """The file for a URL path: ``/`` is the console, ``/worker`` is ``worker.html``; None: there is none."""
        parts = [p for p in path.split("/") if p] or ["console"]
        if any(p.startswith(".") or "\\" in p or "\0" in p for p in parts):
            return None
        file = self._root.joinpath(*parts)
        if not file.suffix:
            file = file.with_suffix(".html")
        file = file.resolve()
        if file.suffix not in MIME or not file.is_relative_to(self._root) or not file.is_file():
            return None
        return file

    async def answer(self, request: Request) -> Response | None:
        """The file asked for, ``304`` where the browser has it, None where there is none."""
        return await run_in_threadpool(self._answer, request)

    def _answer(self, request: Request) -> Response | None:
        file = self.find(request.url.path)
        if file is None:
            return None
        stat = file.stat()
        headers = {"ETag": f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"', "Cache-Control": "no-cache"}
        if matches(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(
            file.read_bytes(), media_type=None, headers={**headers, "Content-Type": MIME[file.suffix]}
        )


def matches(request: Request, etag: str) -> bool:
    """Whether the browser says that it has this version."""
    asked = [t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")]
    return etag in asked or "*" in asked
