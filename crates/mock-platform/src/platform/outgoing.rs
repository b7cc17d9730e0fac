//! A recording on its way to whoever asked for it: it is read as it is taken, so that it may be of any length.

use std::fs::{File, Metadata};
use std::io::{self, SeekFrom};
use std::ops::Range;
use std::path::Path;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::BytesMut;
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

/// How much of a file is in memory at once.
const PIECE: usize = 64 * 1024;

/// A file that is open, and as long as it was then.
#[derive(Debug)]
pub(super) struct Outgoing {
    file: File,
    length: u64,
}

impl Outgoing {
    /// Opens a file; none where there is none. It may have to be waited for.
    pub(super) fn open(path: &Path) -> Option<Self> {
        // A pipe would be waited for.
        std::fs::metadata(path).ok().filter(Metadata::is_file)?;
        let file = File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        Some(Self { file, length })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// An answer with a part of it.
    pub(super) fn answer(self, part: Range<u64>) -> Response {
        let length = part.end.saturating_sub(part.start);
        let rest = tokio::fs::File::from_std(self.file).take(length);
        let pieces = stream::try_unfold((rest, Some(part.start)), |(mut rest, from)| async move {
            if let Some(from) = from {
                rest.get_mut().seek(SeekFrom::Start(from)).await?;
            }
            let mut piece = BytesMut::with_capacity(PIECE);
            match rest.read_buf(&mut piece).await? {
                // Somebody writes it anew: the answer breaks off, for it was said to be longer.
                0 if rest.limit() > 0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                0 => Ok(None),
                _ => Ok(Some((piece.freeze(), (rest, None)))),
            }
        });
        let mut answer = Response::new(Body::from_stream(pieces));
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        answer
    }
}
