//! What was found in one part of what a run reads.

/// One part of what a run reads.
#[derive(Clone, Debug, Default)]
pub(super) struct CheckedPart {
    pub(super) name: &'static str,
    /// What was checked.
    pub(super) what: String,
    /// Each names file and key.
    pub(super) problems: Vec<String>,
    /// What works, but perhaps not as intended.
    pub(super) warnings: Vec<String>,
}

impl CheckedPart {
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.problems.is_empty() {
            lines.push(format!("{}: ok ({})", self.name, self.what));
        }
        let label = |kind: &str, message: &String| format!("{}: {kind}: {message}", self.name);
        lines.extend(
            self.problems
                .iter()
                .map(|message| label("problem", message)),
        );
        lines.extend(
            self.warnings
                .iter()
                .map(|message| label("warning", message)),
        );
        lines
    }
}
