"""Feeds into Kafka."""
