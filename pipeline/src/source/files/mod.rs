//! Records from event files.
