//! Text that comes from elsewhere, within Markdown.

/// Text within a cell of a table.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

/// Text as it is, in a block whose fence it cannot end.
pub(super) fn block(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}text\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

#[cfg(test)]
mod tests {
    use super::{block, cell};

    #[test]
    fn nothing_gets_out_of_a_cell_or_a_block() {
        assert_eq!(cell("a | <b>\nc"), "a \\| &lt;b> c");
        assert_eq!(block("one\n```\ntwo\n"), "````text\none\n```\ntwo\n````\n");
    }
}
