//! Canaries of names, phones and secrets in every field, header, key, configuration value and error, searched for in every output
//! (F31, F32, P7).
//!
//! ```text
//! records        what people might have typed, into every field of every event type, and records of every verdict
//! search         the spellings in which a text may come out again, and where it did
//! outputs        one run over all of it: tables, storage, topics, webhooks, logs at trace level
//! configuration  what every command says of a wrong configuration that holds a secret
//! ```

mod configuration;
mod outputs;
mod records;
mod search;
