//! Records as a Parquet file: the columns of the CSV, a row group at a time.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type, TypePtr};

use super::super::exit::Failure;
use super::super::output::LINE_SCHEMA;

/// Rows of one group.
const ROWS: usize = 10_000;
/// Bytes of the texts of one group, beyond those of its last row: so much is held in memory.
const BYTES: usize = 8 << 20;
/// Columns of whole bodies: nobody looks for the least and the greatest of them.
const WHOLE: [&str; 3] = ["webhook", "body", "body_base64"];

/// A file that is being written.
pub(super) struct ParquetFile<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    group: Group,
}

/// Rows that wait to be a group, by columns.
#[derive(Default)]
struct Group {
    seqs: Vec<i64>,
    received: Vec<i64>,
    /// One for each column of texts; what is not there is null.
    texts: Vec<Vec<Option<String>>>,
    bytes: usize,
}

impl<W: Write + Send> ParquetFile<W> {
    /// Begins a file with `seq`, `received_at` and columns of texts with these names.
    pub(super) fn begin(to: W, names: &[&str]) -> Result<Self, ParquetError> {
        let schema = KeyValue::new("piopiy.schema".to_owned(), LINE_SCHEMA.to_owned());
        // What is told of a group is kept until the file ends, so the values of its pages are not told of.
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(vec![schema]))
            .set_statistics_enabled(EnabledStatistics::Chunk);
        for name in WHOLE {
            properties =
                properties.set_column_statistics_enabled(ColumnPath::from(name), EnabledStatistics::None);
        }
        let writer = SerializedFileWriter::new(to, columns(names)?, Arc::new(properties.build()))?;
        let group = Group { texts: vec![Vec::new(); names.len()], ..Group::default() };
        Ok(Self { writer, group })
    }

    /// Takes a row, with a text or none for each column.
    pub(super) fn row(
        &mut self,
        seq: u64,
        received_at: i64,
        texts: Vec<Option<String>>,
    ) -> Result<(), ParquetError> {
        self.group.seqs.push(seq.cast_signed());
        self.group.received.push(received_at);
        for (column, text) in self.group.texts.iter_mut().zip(texts) {
            self.group.bytes += text.as_ref().map_or(0, String::len);
            column.push(text);
        }
        if self.group.seqs.len() >= ROWS || self.group.bytes >= BYTES { self.write() } else { Ok(()) }
    }

    /// Writes what waits, and the end of the file.
    pub(super) fn finish(mut self) -> Result<(), ParquetError> {
        self.write()?;
        self.writer.close().map(drop)
    }

    fn write(&mut self) -> Result<(), ParquetError> {
        if self.group.seqs.is_empty() {
            return Ok(());
        }
        let mut to = self.writer.next_row_group()?;
        numbers(&mut to, &self.group.seqs)?;
        numbers(&mut to, &self.group.received)?;
        self.group.seqs.clear();
        self.group.received.clear();
        self.group.bytes = 0;
        for column in &mut self.group.texts {
            texts(&mut to, std::mem::take(column))?;
        }
        to.close().map(drop)
    }
}

/// Why a file could not be written to `place`. What the system said comes wrapped: it may be that a pipe was closed.
pub(super) fn failure(place: &str, error: ParquetError) -> Failure {
    let error = match error {
        ParquetError::External(cause) => {
            cause.downcast::<io::Error>().map_or_else(io::Error::other, |error| *error)
        }
        other => io::Error::other(other),
    };
    Failure::write(place, error)
}

fn columns(names: &[&str]) -> Result<TypePtr, ParquetError> {
    let utc = LogicalType::timestamp(true, TimeUnit::MICROS);
    let seq = Type::primitive_type_builder("seq", Physical::INT64).with_repetition(Repetition::REQUIRED);
    let received = Type::primitive_type_builder("received_at", Physical::INT64)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(utc));
    let mut fields = vec![Arc::new(seq.build()?), Arc::new(received.build()?)];
    for name in names {
        let text = Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(Some(LogicalType::String));
        fields.push(Arc::new(text.build()?));
    }
    Ok(Arc::new(Type::group_type_builder("record").with_fields(fields).build()?))
}

fn numbers<W: Write + Send>(
    to: &mut SerializedRowGroupWriter<'_, W>,
    numbers: &[i64],
) -> Result<(), ParquetError> {
    let mut column = to.next_column()?.ok_or(ParquetError::EOF("a column".to_owned()))?;
    column.typed::<Int64Type>().write_batch(numbers, None, None)?;
    column.close()
}

fn texts<W: Write + Send>(
    to: &mut SerializedRowGroupWriter<'_, W>,
    texts: Vec<Option<String>>,
) -> Result<(), ParquetError> {
    let mut column = to.next_column()?.ok_or(ParquetError::EOF("a column".to_owned()))?;
    let is_there: Vec<i16> = texts.iter().map(|text| i16::from(text.is_some())).collect();
    let values: Vec<ByteArray> =
        texts.into_iter().flatten().map(|text| ByteArray::from(text.into_bytes())).collect();
    column.typed::<ByteArrayType>().write_batch(&values, Some(&is_there), None)?;
    column.close()
}
