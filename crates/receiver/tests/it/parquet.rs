//! `export --format parquet`, where it was built in and where it was not.

use crate::cli::{STORE, folder_with_store, run};

#[cfg(not(feature = "parquet"))]
#[test]
fn a_program_without_it_says_what_has_it() {
    let folder = folder_with_store();
    let told = run(folder.path(), &["export", STORE, "--format", "parquet", "--output", "calls.parquet"]);
    assert!(told.contains("exit code 2") && told.contains("--features parquet"), "{told}");
    assert!(!folder.path().join("calls.parquet").exists());
}

#[cfg(feature = "parquet")]
mod built_in {
    use std::fs::File;
    use std::io::Read as _;
    use std::path::Path;
    use std::process::Command;

    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::{Field, Row};
    use piopiy_receiver::{Entry, SqliteStore, Store as _};

    use super::{STORE, folder_with_store, run};

    fn read(path: &Path) -> (usize, Vec<Row>) {
        let file = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        let version = file.metadata().file_metadata().key_value_metadata().unwrap();
        assert!(version.iter().any(|pair| pair.key == "piopiy.schema"), "{version:?}");
        (file.num_row_groups(), file.get_row_iter(None).unwrap().map(Result::unwrap).collect())
    }

    #[test]
    fn it_has_the_columns_of_the_csv_and_what_stands_in_them() {
        let folder = folder_with_store();
        for more in [&[][..], &["--quarantine"], &["--since", "7"]] {
            let arguments = [&["export", STORE, "--format", "parquet", "--output", "out"], more].concat();
            let told = run(folder.path(), &arguments);
            assert!(told.contains("exit code 0"), "{told}");
            let (_, rows) = read(&folder.path().join("out"));
            let arguments = [&["export", STORE, "--format", "csv", "--output", "out.csv"], more].concat();
            run(folder.path(), &arguments);
            let mut csv = csv::Reader::from_path(folder.path().join("out.csv")).unwrap();
            let names: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
            let lines: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
            assert_eq!(rows.len(), lines.len());
            for (row, line) in rows.iter().zip(&lines) {
                let cells: Vec<(&String, &Field)> = row.get_column_iter().collect();
                assert_eq!(
                    cells.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
                    names.iter().collect::<Vec<_>>()
                );
                for ((name, field), cell) in cells.into_iter().zip(line) {
                    let text = match (name.as_str(), field) {
                        ("seq", Field::Long(number)) => number.to_string(),
                        ("received_at", Field::TimestampMicros(at)) => at.to_string(),
                        // No webhook of this store has it.
                        ("request_id", Field::Null) => String::new(),
                        ("seq" | "received_at" | "request_id", other) => panic!("{name}: {other:?}"),
                        (_, Field::Null) => String::new(),
                        (_, Field::Str(text)) => text.clone(),
                        (_, other) => panic!("{name}: {other:?}"),
                    };
                    // What is for spreadsheets alone.
                    assert_eq!(text, cell.strip_prefix('\'').unwrap_or(cell), "{name}");
                }
            }
        }
    }

    #[test]
    fn a_group_is_of_so_many_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(folder.path().join("calls.sqlite")).unwrap();
        let large = |at| Entry::quarantined("not JSON".to_owned(), vec![b'x'; 1 << 20].into(), at);
        store.append(&(0..10).map(large).collect::<Vec<_>>()).unwrap();
        let arguments = ["export", STORE, "--quarantine", "--format", "parquet", "--output", "out"];
        let told = run(folder.path(), &arguments);
        assert!(told.contains("exit code 0"), "{told}");
        let (groups, rows) = read(&folder.path().join("out"));
        assert_eq!((groups, rows.len()), (3, 10), "4 of them, as text and in base 64, are more than 8 MiB");
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(folder.path().join("calls.sqlite")).unwrap();
        // More than a pipe holds, of bytes that cannot be made fewer.
        let mut state = 1_u32;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_be_bytes()[0]
        };
        let body: Vec<u8> = (0..1 << 20).map(|_| next()).collect();
        store.append(&[Entry::quarantined("not JSON".to_owned(), body.into(), 0)]).unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn(move || File::open(pipe).unwrap().read_exact(&mut [0; 4]).unwrap());
        let arguments = ["export", STORE, "--quarantine", "--format", "parquet", "--output", "pipe"];
        let told = run(folder.path(), &arguments);
        reader.join().unwrap();
        assert!(told.contains("exit code 0") && told.ends_with("--- stderr\n"), "{told}");
    }

    #[test]
    fn it_is_nothing_for_a_terminal() {
        let folder = folder_with_store();
        let told = run(folder.path(), &["export", STORE, "--format", "parquet"]);
        assert!(told.contains("exit code 2") && told.contains("--output FILE"), "{told}");
    }
}
