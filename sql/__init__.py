"""Migrations, queries, database access."""
