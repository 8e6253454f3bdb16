"""How often the tests of single workers kill them; ``make test-faults`` sets it to ten.

tests/faults kills ten times in any case, in a whole run; each worker's own test is a closer look at one part.
"""

import os

KILLS = int(os.environ.get("YIWANG_TEST_KILLS", "2"))
