//! What librdkafka's properties hide.

/// Whether a property's value must not be shown: everything about credentials that is not known to be harmless.
pub(crate) fn is_secret(name: &str) -> bool {
    const HARMLESS: [&str; 6] = [
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.username",
        "ssl.ca.location",
        "ssl.endpoint.identification.algorithm",
        "enable.ssl.certificate.verification",
    ];
    if HARMLESS.contains(&name) {
        return false;
    }
    ["sasl.", "ssl.", "password", "secret", "token"]
        .iter()
        .any(|mark| name.contains(mark))
}
