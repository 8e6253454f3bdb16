"""Detectors: readings to findings; pure."""
