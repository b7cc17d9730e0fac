use super::{CheckReport, Reporter};

/// One JSON document.
pub(super) struct Json;

impl Reporter for Json {
    fn render(&self, report: &CheckReport) -> String {
        // Texts, numbers and maps with text keys: nothing that could not be written.
        let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
        text.push('\n');
        text
    }
}
