"""Fusion into incidents, cases, orders; pure."""
