"""Every error of the project, by what the caller can do about it.

YiwangError
├── BadInput      the input is wrong: mend it and send it again
├── NotAllowed    the caller may not do this
├── Conflict      the thing is no longer in the state the caller believed
└── Unavailable   a service is away: try again later, nothing was lost
"""

from typing import Any


class YiwangError(Exception):
    """Base of all our errors.

    Args:
        code: stable, dotted, lower case (``reading.unknown_device``); programs and translations depend on it.
        message: one English sentence: what, where, what would be right.
        args: the numbers and names behind the message, for programs and for the screens' own sentence.
    """

    def __init__(self, code: str, message: str, **args: Any) -> None:  # Any: plain JSON values
        super().__init__(message)
        self.code = code
        self.message = message
        self.details: dict[str, Any] = args

    def __reduce__(self) -> tuple[Any, ...]:  # Any: what pickle takes; an error may come from another process
        return _made, (type(self), self.code, self.message, self.details)

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"

    def as_json(self) -> dict[str, Any]:
        """The form that goes over every interface: ``{"code", "message", "args"}``."""
        return {"code": self.code, "message": self.message, "args": self.details}


class BadInput(YiwangError):
    """The input is wrong; mend it and send it again."""


class NotAllowed(YiwangError):
    """The caller may not do this."""


class Conflict(YiwangError):
    """The thing is no longer in the state the caller believed."""


class Unavailable(YiwangError):
    """A service is away; nothing was lost, try again later."""


def _made(kind: type[YiwangError], code: str, message: str, details: dict[str, Any]) -> YiwangError:
    """An error as it was, in another process. Any: plain JSON values."""
    return kind(code, message, **details)
