"""Scenarios: format, library, generators, player, scoring."""
