"""The rules a district machine goes by, compiled. Pure."""

import re

import detectors.registry
from yiwang.domains import Domains, Entry, compile_rules
from yiwang.errors import BadInput
from yiwang.registry import Rules

_NAME = re.compile(r"\{(\w+)")


class Rulebook:
    """Rules, compiled.

    Args:
        rules: as they came in the feed.
        check: whether it must be found out if this release has the detectors they name.

    Raises:
        BadInput: ``domain.…`` when the packs are wrong, or name a detector that this release does not have.
    """

    def __init__(self, rules: Rules, *, check: bool = True) -> None:
        self.rules = rules
        self.domains: Domains = compile_rules(rules)
        if check:
            detectors.registry.check(self.domains)
        if rules.tick_s <= 0 or rules.lateness_s < 0:
            raise BadInput(
                "domain.value",
                f"tick_s {rules.tick_s} must be above 0 and lateness_s {rules.lateness_s} not below",
            )
        self._numbers: dict[str, dict[int, tuple[str, ...]]] = {}
        for entry in self.domains.detectors:
            self._numbers[entry.id] = self._of(entry)

    def numbers(self, entry: str) -> dict[int, tuple[str, ...]]:
        """Reason of an entry's detector to those of its parameters that the sentence names."""
        return self._numbers[entry]

    def _of(self, entry: Entry) -> dict[int, tuple[str, ...]]:
        needed: dict[int, tuple[str, ...]] = {}
        reasons: tuple[str, ...] = detectors.registry.get(entry.use).reasons  # type: ignore[attr-defined]
        for i, reason in enumerate(reasons):
            text = self.domains.reasons.get(reason)
            named = _NAME.findall(text.zh + text.en) if text else []
            needed[i] = tuple(dict.fromkeys(n for n in named if n in entry.params))
        return needed
