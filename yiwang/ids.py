"""Identities derived from content, so that a repeat is an upsert and replay gives the same ids as live."""

from hashlib import blake2b


def derive(prefix: str, *parts: str | int) -> str:
    """``prefix-`` and 16 hex digits of BLAKE2b over the parts; equal parts give equal ids on every machine.

    Args:
        prefix: ``F`` finding, ``I`` incident, ``C`` case, ``O`` order, ``D`` dead letter, ``V`` video event.
        parts: what identifies the thing; never a measured value.
    """
    body = "\x1f".join(str(p) for p in parts).encode()
    return f"{prefix}-{blake2b(body, digest_size=8).hexdigest()}"
