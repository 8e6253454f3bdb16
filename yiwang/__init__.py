"""Yiwang: the shared kernel."""
