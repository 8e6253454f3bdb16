"""Fusion of findings into incidents, and what is done about them: cases, orders, deadlines, support. Pure."""
