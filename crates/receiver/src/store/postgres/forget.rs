//! Forgetting the oldest records, a little at a time, behind the lock that batches pass.

use tokio_postgres::types::ToSql;

use super::super::Forgotten;
use super::super::forget::Oldest;
use super::Writer;
use super::append::BEGIN_LOCKED;
use super::error::PostgresError;
use super::schema;
use crate::Forget;

/// The records behind one that is gone: of a body its length, which is known without reading it. Where it begins is
/// named, for what was deleted stays in the index until the server has cleaned it.
pub(super) const OLDEST: &str = "
(SELECT seq, received_at, octet_length(body)::int8 FROM piopiy_receiver.webhook
    WHERE seq > $1 ORDER BY seq LIMIT $2)
UNION ALL
(SELECT seq, received_at, octet_length(body)::int8 FROM piopiy_receiver.quarantine
    WHERE seq > $1 ORDER BY seq LIMIT $2)
ORDER BY seq LIMIT $2";

impl Writer {
    /// Forgets some of the oldest.
    pub(super) async fn forget(&self, what: &Forget) -> Result<Forgotten, PostgresError> {
        let after = schema::forgotten_through(&self.session).await?;
        let client = self.session.client();
        // The end of a moment ago is before that of now.
        let mut oldest = Oldest::of(what, schema::last_seq(&self.session).await?);
        let limit = oldest.limit();
        let parameters: [&(dyn ToSql + Sync); 2] = [&after, &limit];
        let (begun, rows) =
            tokio::join!(client.batch_execute(BEGIN_LOCKED), client.query(&self.oldest, &parameters));
        begun.map_err(PostgresError::while_doing("lock"))?;
        for row in rows.map_err(PostgresError::while_doing("find what is old"))? {
            let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
            let (seq, received_at, bytes) = read().map_err(PostgresError::while_doing("find what is old"))?;
            if !oldest.take(seq, received_at, bytes) {
                break;
            }
        }
        let end = match oldest.last {
            Some(last) => format!(
                "DELETE FROM piopiy_receiver.webhook WHERE seq > {after} AND seq <= {last};
                DELETE FROM piopiy_receiver.quarantine WHERE seq > {after} AND seq <= {last};
                UPDATE piopiy_receiver.state SET forgotten_through = greatest(forgotten_through, {last});
                COMMIT"
            ),
            None => "COMMIT".to_owned(),
        };
        client.batch_execute(&end).await.map_err(PostgresError::while_doing("forget records"))?;
        Ok(oldest.forgotten())
    }
}
