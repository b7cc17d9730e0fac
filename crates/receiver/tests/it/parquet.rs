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
    use std::path::Path;

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
                    let text = match field {
                        Field::Null => String::new(),
                        Field::Str(text) => text.clone(),
                        Field::Long(number) | Field::TimestampMicros(number) => number.to_string(),
                        other => panic!("{other:?}"),
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
    fn it_is_nothing_for_a_terminal() {
        let folder = folder_with_store();
        let told = run(folder.path(), &["export", STORE, "--format", "parquet"]);
        assert!(told.contains("exit code 2") && told.contains("--output FILE"), "{told}");
    }
}
