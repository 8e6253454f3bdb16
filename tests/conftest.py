"""Settings for the whole suite; the services that tests ask for live in ``fixtures_services``."""

pytest_plugins = ["tests.fixtures_services"]
