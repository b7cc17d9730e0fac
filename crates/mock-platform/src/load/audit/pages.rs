use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::plan::{CallBuffer, Simulator};

/// What is known of every webhook of a run, in memory that does not grow with it: half a byte for each webhook and one byte
/// for each call, in pages of many calls, of which those that are used are in memory and the others in a file without a name.
#[derive(Debug)]
pub(super) struct Pages {
    simulator: Simulator,
    buffer: CallBuffer,
    /// Of so many shares of the calls this is the ledger of one.
    shares: u64,
    in_memory: BTreeMap<u64, Page>,
    /// Where the pages that were in memory are in the file.
    places: BTreeMap<u64, Place>,
    file: Option<File>,
    /// Where the file ends.
    end: u64,
    /// Rises with each use.
    clock: u64,
}

/// Calls in a page.
const CALLS: usize = 512;
/// Pages in memory: a window of some hundred thousand webhooks, in about a megabyte.
const IN_MEMORY: usize = 256;

#[derive(Debug)]
struct Page {
    /// Where each call begins in `bytes`.
    starts: Vec<u32>,
    /// For each call a byte of its own, and half a byte for each webhook.
    bytes: Vec<u8>,
    used: u64,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    at: u64,
    bytes: u32,
}

/// What is known of a call; changes are kept.
pub(super) struct CallEntry<'a>(&'a mut [u8]);

impl CallEntry<'_> {
    /// The half byte of a webhook; 0 of one that the call does not have.
    pub(super) fn webhook(&self, webhook: usize) -> u8 {
        self.0.get(1 + webhook / 2).map_or(0, |byte| (byte >> (webhook % 2 * 4)) & 15)
    }

    pub(super) fn set_webhook(&mut self, webhook: usize, state: u8) {
        let shift = webhook % 2 * 4;
        if let Some(byte) = self.0.get_mut(1 + webhook / 2) {
            *byte = (*byte & !(15 << shift)) | ((state & 15) << shift);
        }
    }

    /// The byte of the call itself.
    pub(super) fn call(&self) -> u8 {
        self.0.first().copied().unwrap_or_default()
    }

    pub(super) fn set_call(&mut self, state: u8) {
        if let Some(byte) = self.0.first_mut() {
            *byte = state;
        }
    }
}

impl Pages {
    pub(super) fn new(simulator: &Simulator) -> Self {
        let shares = simulator.options().shard.map_or(1, |(_, shares)| shares.max(1));
        Self {
            simulator: simulator.clone(),
            buffer: CallBuffer::default(),
            shares,
            in_memory: BTreeMap::new(),
            places: BTreeMap::new(),
            file: None,
            end: 0,
            clock: 0,
        }
    }

    /// What is known of a call of this share.
    pub(super) fn call(&mut self, call: u64) -> io::Result<CallEntry<'_>> {
        let nth = call / self.shares;
        let number = nth / CALLS as u64;
        let within = (nth % CALLS as u64) as usize;
        if !self.in_memory.contains_key(&number) {
            self.make_room()?;
            let page = match self.places.get(&number) {
                Some(place) => self.read(number, *place)?,
                None => self.blank(number),
            };
            self.in_memory.insert(number, page);
        }
        self.clock += 1;
        let clock = self.clock;
        let page = self.in_memory.get_mut(&number).ok_or_else(|| io::Error::other("a page is gone"))?;
        page.used = clock;
        let (start, end) = (page.starts[within] as usize, page.starts[within + 1] as usize);
        Ok(CallEntry(&mut page.bytes[start..end]))
    }

    /// The calls of which anything may be known, a page at a time.
    pub(super) fn calls(&self) -> impl Iterator<Item = u64> + use<> {
        let share = self.simulator.options().shard.map_or(0, |(share, _)| share);
        let shares = self.shares;
        let numbers: std::collections::BTreeSet<u64> =
            self.in_memory.keys().chain(self.places.keys()).copied().collect();
        numbers
            .into_iter()
            .flat_map(|number| (0..CALLS as u64).map(move |within| number * CALLS as u64 + within))
            .map(move |nth| nth * shares + share)
    }

    /// Where nothing is known yet: the plan says how much room it takes.
    fn blank(&mut self, number: u64) -> Page {
        let starts = self.starts(number);
        let bytes = vec![0; starts.last().map_or(0, |end| *end as usize)];
        Page { starts, bytes, used: 0 }
    }

    fn starts(&mut self, number: u64) -> Vec<u32> {
        let share = self.simulator.options().shard.map_or(0, |(share, _)| share);
        let mut end = 0;
        let mut starts = Vec::with_capacity(CALLS + 1);
        starts.push(end);
        for within in 0..CALLS as u64 {
            let call = (number * CALLS as u64 + within) * self.shares + share;
            let webhooks = self.simulator.count_webhooks(call, &mut self.buffer) as u32;
            end += 1 + webhooks.div_ceil(2);
            starts.push(end);
        }
        starts
    }

    /// Puts the page that was not used for longest into the file, where there are too many.
    fn make_room(&mut self) -> io::Result<()> {
        if self.in_memory.len() < IN_MEMORY {
            return Ok(());
        }
        let oldest = self.in_memory.iter().min_by_key(|(_, page)| page.used).map(|(number, _)| *number);
        let Some((number, page)) = oldest.and_then(|number| self.in_memory.remove_entry(&number)) else {
            return Ok(());
        };
        let place = self.places.get(&number).copied().unwrap_or_else(|| {
            let place = Place { at: self.end, bytes: page.bytes.len() as u32 };
            self.end += u64::from(place.bytes);
            place
        });
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        file.seek(SeekFrom::Start(place.at))?;
        file.write_all(&page.bytes)?;
        self.places.insert(number, place);
        Ok(())
    }

    fn read(&mut self, number: u64, place: Place) -> io::Result<Page> {
        let starts = self.starts(number);
        let file = self.file.as_mut().ok_or_else(|| io::Error::other("there is no file"))?;
        let mut bytes = vec![0; place.bytes as usize];
        file.seek(SeekFrom::Start(place.at))?;
        file.read_exact(&mut bytes)?;
        Ok(Page { starts, bytes, used: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlanOptions;

    #[test]
    fn what_is_written_down_is_read_again_whichever_page_it_is_on() {
        let options = PlanOptions { shard: Some((1, 3)), ..PlanOptions::default() };
        let simulator = Simulator::builtin("default", options).unwrap();
        let mut pages = Pages::new(&simulator);
        let mut buffer = CallBuffer::default();
        // More than there is room for, and back again.
        let calls: Vec<u64> = (0..IN_MEMORY as u64 + 40).map(|n| (n * CALLS as u64 + n) * 3 + 1).collect();
        let state = |call: u64, webhook: usize| (call as usize * 7 + webhook * 3) as u8 & 15;
        for &call in &calls {
            let count = simulator.count_webhooks(call, &mut buffer);
            let mut entry = pages.call(call).unwrap();
            entry.set_call(call as u8);
            (0..count).for_each(|webhook| entry.set_webhook(webhook, state(call, webhook)));
        }
        assert!(pages.in_memory.len() <= IN_MEMORY && !pages.places.is_empty());
        for &call in &calls {
            let count = simulator.count_webhooks(call, &mut buffer);
            let entry = pages.call(call).unwrap();
            assert_eq!(entry.call(), call as u8);
            for webhook in 0..count {
                assert_eq!(entry.webhook(webhook), state(call, webhook), "{call} {webhook}");
            }
            assert_eq!(pages.call(call + 3).unwrap().call(), 0, "its neighbour");
        }
        let listed: std::collections::BTreeSet<u64> = pages.calls().collect();
        assert!(calls.iter().all(|call| listed.contains(call)));
    }
}
