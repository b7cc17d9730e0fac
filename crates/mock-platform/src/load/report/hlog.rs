use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;

use super::LoadReport;

/// A log as `HistogramLogProcessor` and its relatives read it: the latencies of each interval, in microseconds.
pub(super) fn render(report: &LoadReport) -> String {
    let mut log = Vec::new();
    // To memory, which does not fail.
    let _ = write(report, &mut log);
    String::from_utf8(log).unwrap_or_default()
}

const LEGEND: &[u8] =
    b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";

fn write(report: &LoadReport, log: &mut Vec<u8>) -> std::io::Result<()> {
    let began = UNIX_EPOCH + Duration::from_millis(report.started_ms);
    let mut serializer = V2DeflateSerializer::new();
    let mut head = IntervalLogWriterBuilder::new();
    head.add_comment(&format!("[Logged with piopiy-mock {}, {}]", report.version, report.target))
        .add_comment("[Latencies from the planned instants, in microseconds; the maxima beside them are in milliseconds]")
        .add_comment("[Histogram log format version 1.3]")
        .with_start_time(began)
        .with_base_time(began)
        .begin_log_with(log, &mut serializer)?;
    log.extend_from_slice(LEGEND);
    let mut writer = IntervalLogWriterBuilder::new();
    let mut intervals = Vec::new();
    let mut writer =
        writer.with_max_value_divisor(1_000.0).begin_log_with(&mut intervals, &mut serializer)?;
    for interval in &report.series {
        let (at, length) = (seconds(interval.at_s), seconds(interval.seconds));
        let written = writer.write_histogram(&interval.latencies(), at, length, None);
        written.map_err(std::io::Error::other)?;
    }
    log.extend_from_slice(&intervals);
    Ok(())
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
