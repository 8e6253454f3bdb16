"""Where Chromium is, and what to do where it is not."""

import os
import shutil

MISSING = "no Chromium: install it (Debian: apt-get install chromium fonts-noto-cjk) or set YIWANG_CHROMIUM"


def chromium_path() -> str | None:
    """$YIWANG_CHROMIUM, else the usual names on PATH."""
    given = os.environ.get("YIWANG_CHROMIUM")
    names = [given] if given else ["chromium", "chromium-browser", "google-chrome"]
    return next((found for name in names if (found := shutil.which(name))), None)
