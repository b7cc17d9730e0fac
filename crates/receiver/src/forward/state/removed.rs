//! Destinations that are delivered to no more, and how to be rid of them.

use rusqlite::{Transaction, TransactionBehavior, params};

use super::{DestinationStatus, ForwardError, ForwardState, failed, signed};

/// The tables that have rows of a destination, and its column there.
const ROWS: [(&str, &str); 5] = [
    ("unsettled", "destination"),
    ("replay", "destination"),
    ("dead", "destination"),
    ("mark", "destination"),
    ("destination", "name"),
];

impl ForwardState {
    /// Forgets a destination: how far it is, and what was to be delivered to it or was given up. Returns what that was.
    ///
    /// # Errors
    /// Where there is no such destination, a forwarder that runs delivers to it, or the file cannot be written.
    pub fn remove_destination(&mut self, name: &str) -> Result<DestinationStatus, ForwardError> {
        // Held meanwhile, so that none begins to.
        let lock = if self.is_in_file() { self.try_lock()? } else { None };
        let is_forwarding = self.is_in_file() && lock.is_none();
        let status = self.status()?.into_iter().find(|status| status.name == name);
        let status = status.ok_or_else(|| self.no_destination(name))?;
        let fail = failed("remove a destination");
        let transaction = self.write().map_err(&fail)?;
        let sql = "SELECT count(*) > 0 FROM destination WHERE name = ?1 AND is_wanted";
        let is_wanted: bool = transaction.query_row(sql, [name], |row| row.get(0)).map_err(&fail)?;
        if is_forwarding && is_wanted {
            drop(transaction);
            return Err(ForwardError::Wanted { path: self.path.clone(), name: name.to_owned() });
        }
        for (table, column) in ROWS {
            let sql = format!("DELETE FROM {table} WHERE {column} = ?1");
            transaction.execute(&sql, [name]).map_err(&fail)?;
        }
        transaction.commit().map_err(fail)?;
        Ok(status)
    }

    /// Notes whom a forwarder delivers to from now on, and adds those that are new, each behind its `seq`; the names of these.
    pub(in crate::forward) fn deliver_to<'a>(
        &mut self,
        destinations: &[(&'a str, u64)],
    ) -> Result<Vec<&'a str>, ForwardError> {
        let fail = failed("add a destination");
        let transaction = self.write().map_err(&fail)?;
        transaction.execute("UPDATE destination SET is_wanted = 0", []).map_err(&fail)?;
        let mut added = Vec::new();
        for &(name, after) in destinations {
            let sql = "UPDATE destination SET is_wanted = 1 WHERE name = ?1";
            if transaction.execute(sql, [name]).map_err(&fail)? == 0 {
                let sql = "INSERT INTO destination (name, read_through) VALUES (?1, ?2)";
                transaction.execute(sql, params![name, signed(after)]).map_err(&fail)?;
                added.push(name);
            }
        }
        transaction.commit().map_err(fail)?;
        Ok(added)
    }

    /// What nobody else writes beside.
    pub(super) fn write(&mut self) -> rusqlite::Result<Transaction<'_>> {
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate)
    }
}
