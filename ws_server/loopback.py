"""Only this machine: until there are accounts the gateway listens on loopback addresses and nothing else."""

import errno
import ipaddress
import socket

from yiwang.errors import BadInput, Conflict, NotAllowed


def is_loopback(host: str) -> bool:
    """Whether a host name or address, as in a setting or a Host header without its port, is this machine's."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str:
    """The host in a Host header, without port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


def in_url(host: str) -> str:
    """A host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def listen(host: str, port: int, what: str) -> socket.socket:
    """A bound and listening socket.

    Args:
        host: a loopback address or ``localhost``.
        port: 0 takes a free one.
        what: whose port it is, for messages: the name of the setting.

    Raises:
        NotAllowed: ``serve.loopback``.
        Conflict: ``serve.port_taken``.
        BadInput: ``serve.address``: the system will not listen there.
    """
    if not is_loopback(host):
        raise NotAllowed(
            "serve.loopback",
            f"the gateway has no accounts yet, so it listens on loopback only, not on {host!r}; "
            "use 127.0.0.1, ::1 or localhost",
            host=host,
        )
    address = "127.0.0.1" if host.lower() == "localhost" else host.removeprefix("[").removesuffix("]")
    # with the protocol named, or asyncio leaves Nagle's algorithm on for what is accepted: up to 40 ms a message
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                "serve.port_taken",
                f"port {port} of {address} is taken; stop what uses it, or give another one ({what})",
                host=address,
                port=port,
            ) from error
        raise BadInput(
            "serve.address",
            f"cannot listen on {address} port {port}: {error.strerror}",
            host=address,
            port=port,
        ) from error
    listener.setblocking(False)
    return listener
