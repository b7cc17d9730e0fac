//! Reading a body within a size and a time.

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt as _;

use super::ReadLimits;
use super::budget::Taken;
use super::rejection::{
    BodyInterrupted, BodyTooLarge, BodyTooSlow, EncodedBody, TooManyBodies, WebhookRejection,
};

/// Why a body is not even read: it is encoded, or is declared to be over the limit.
pub(crate) fn refusal(headers: &HeaderMap, body: &Body, limits: &ReadLimits) -> Option<WebhookRejection> {
    let is_plain = |encoding: &HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain) {
        return Some(EncodedBody.into());
    }
    if body.size_hint().lower() > limits.max_bytes as u64 {
        return Some(BodyTooLarge { limit: limits.max_bytes }.into());
    }
    None
}

pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limits: &ReadLimits,
    taken: &mut Taken<'_>,
) -> Result<Bytes, WebhookRejection> {
    if let Some(refusal) = refusal(headers, &body, limits) {
        return Err(refusal);
    }
    let too_large = BodyTooLarge { limit: limits.max_bytes };
    match tokio::time::timeout(limits.body_deadline, collect(body, too_large, taken)).await {
        Ok(collected) => collected,
        Err(_) => Err(BodyTooSlow { deadline: limits.body_deadline }.into()),
    }
}

async fn collect(
    mut body: Body,
    too_large: BodyTooLarge,
    taken: &mut Taken<'_>,
) -> Result<Bytes, WebhookRejection> {
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    let mut total = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|source| BodyInterrupted { source })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        total += data.len();
        if total > too_large.limit {
            return Err(too_large.into());
        }
        if !taken.grow(data.len()) {
            return Err(TooManyBodies.into());
        }
        // Most bodies are one frame, which need not be copied.
        match &mut rest {
            Some(rest) => rest.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                let mut joined = BytesMut::with_capacity(first.len() + data.len());
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&data);
                rest = Some(joined);
            }
        }
    }
    Ok(rest.map_or(first, BytesMut::freeze))
}
