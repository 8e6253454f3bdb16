"""Real Apache Kafka and real PostgreSQL started from Python packages, for the demo and the tests."""
