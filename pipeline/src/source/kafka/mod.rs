//! Records from Kafka.
