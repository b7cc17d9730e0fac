//! Histograms as text and bytes: the encoding that HdrHistogram's tools share (V2, compressed, in base64).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer, V2Serializer};

use super::tally::histogram;

/// Why a text is no histogram.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what should be a histogram is none (base64 of HdrHistogram's V2 encoding): {reason}")]
pub struct HistogramError {
    reason: String,
}

/// What a text holds; an empty one holds nothing.
pub(super) fn read(text: &str) -> Result<Histogram<u64>, HistogramError> {
    let bytes = BASE64_STANDARD.decode(text).map_err(|error| HistogramError { reason: error.to_string() })?;
    unpacked(&bytes)
}

/// A histogram as text; nothing for an empty one.
pub(super) fn write(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    // To memory, which does not fail.
    if !histogram.is_empty() && V2DeflateSerializer::new().serialize(histogram, &mut bytes).is_err() {
        bytes.clear();
    }
    BASE64_STANDARD.encode(bytes)
}

/// A histogram in as few bytes as can be had in no time.
pub(super) fn packed(histogram: &Histogram<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if !histogram.is_empty() && V2Serializer::new().serialize(histogram, &mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}

pub(super) fn unpacked(bytes: &[u8]) -> Result<Histogram<u64>, HistogramError> {
    let mut whole = histogram();
    if !bytes.is_empty() {
        let wrong = |reason: String| HistogramError { reason };
        let read = Deserializer::new().deserialize::<u64, _>(&mut &bytes[..]);
        let read = read.map_err(|error| wrong(error.to_string()))?;
        // Others may have another range.
        whole.add(&read).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_histogram_comes_back_as_it_was() {
        proptest!(|(values in proptest::collection::vec(0..4_000_000_000_u64, 0..200))| {
            let mut one = histogram();
            values.iter().for_each(|value| one.saturating_record(*value));
            prop_assert_eq!(&read(&write(&one)).unwrap(), &one);
            prop_assert_eq!(&unpacked(&packed(&one)).unwrap(), &one);
        });
    }

    #[test]
    fn what_is_no_histogram_is_told() {
        for text in ["?", "AAAA", "HISTFAAAA"] {
            assert!(read(text).unwrap_err().to_string().contains("what should be a histogram"), "{text}");
        }
        assert!(read("").unwrap().is_empty());
    }
}
