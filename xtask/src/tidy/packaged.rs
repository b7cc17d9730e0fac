//! What a crate takes in when it is compiled lies in its own folder, or a package of it could not be built.

use super::{Breach, File};

pub(super) fn breaches(file: &File) -> Vec<Breach> {
    let Some(depth) = depth(&file.path) else {
        return Vec::new();
    };
    let too_far = file.product_lines().filter(|(_, line)| line.contains("include_") && ups(line) > depth);
    too_far
        .map(|(number, _)| {
            file.breach(number, "takes in a file from outside of its package: link to it within the crate")
        })
        .collect()
}

/// How many folders a source file of a published crate is below the crate's own.
fn depth(path: &str) -> Option<usize> {
    let inner = path.strip_prefix("crates/")?.split_once("/src/")?.1;
    inner.ends_with(".rs").then(|| inner.matches('/').count() + 1)
}

/// How many folders a path in the line goes up.
fn ups(line: &str) -> usize {
    line.matches("../").count()
}

#[cfg(test)]
mod tests {
    use super::{File, breaches};

    fn check(path: &str, text: &str, expected: usize) {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        assert_eq!(breaches(&file).len(), expected, "{path}: {text}");
    }

    #[test]
    fn files_are_taken_from_the_package_alone() {
        check("crates/events/src/json/raw.rs", "const A: &str = include_str!(\"../../wire/a.json\");", 0);
        check("crates/events/src/json/raw.rs", "const A: &str = include_str!(\"../../../wire/a.json\");", 1);
        check("crates/events/src/a.rs", "#[cfg(test)]\nmod tests { include_bytes!(\"../../../a\") }", 0);
        check("xtask/src/tidy.rs", "include_str!(\"../../README.md\")", 0);
    }
}
