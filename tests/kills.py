"""How often the tests kill workers in one run; ``make test-faults`` sets it to twenty."""

import os

KILLS = int(os.environ.get("YIWANG_TEST_KILLS", "2"))
