"""The gateway: live socket, HTTP API, pages."""
