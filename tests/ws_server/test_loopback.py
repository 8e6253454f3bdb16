"""Only this machine."""

import socket

import pytest

from ws_server.loopback import host_of, in_url, is_loopback, listen
from yiwang.errors import YiwangError


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("::1", True),
        ("[::1]", True),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("8.8.8.8", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("2130706433", False),
        ("127.1", False),
        ("::ffff:8.8.8.8", False),
    ],
)
def test_what_counts_as_this_machine(host: str, expected: bool) -> None:
    """Addresses of 127.0.0.0/8, ::1 and the name localhost; nothing that looks like them."""
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("127.0.0.1:8420", "127.0.0.1"),
        ("localhost", "localhost"),
        ("[::1]:8420", "::1"),
        ("evil.example:80", "evil.example"),
        ("", ""),
    ],
)
def test_the_host_in_a_header(header: str, host: str) -> None:
    """Without port and brackets."""
    assert host_of(header) == host


def test_hosts_in_urls() -> None:
    """An IPv6 address stands in brackets."""
    assert (in_url("::1"), in_url("127.0.0.1")) == ("[::1]", "127.0.0.1")


@pytest.mark.parametrize("host", ["0.0.0.0", "", "192.168.1.5", "example.com", "::"])
def test_it_refuses_to_listen_elsewhere(host: str) -> None:
    """There are no accounts yet: whoever reaches the port can do everything."""
    with pytest.raises(YiwangError) as refused:
        listen(host, 0, "--port")
    assert refused.value.code == "serve.loopback"


def test_a_taken_port_is_named() -> None:
    """With what to do about it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(YiwangError) as refused:
            listen("127.0.0.1", port, "--port")
    assert refused.value.code == "serve.port_taken"
    assert str(port) in refused.value.message
    assert "--port" in refused.value.message


def test_an_address_that_is_not_there_is_named() -> None:
    """The system's own reason is told."""
    with pytest.raises(YiwangError) as refused:
        listen("::1%nowhere", 0, "--port")
    assert refused.value.code == "serve.address"
    assert "::1%nowhere" in refused.value.message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.9"])
def test_it_listens_on_loopback(host: str) -> None:
    """A free port is taken for 0."""
    with listen(host, 0, "--port") as listener:
        assert listener.getsockname()[1] > 0
        assert listener.getsockname()[0].startswith("127.")
