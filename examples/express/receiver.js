// A receiver of PIOPIY webhooks that loses none and counts none twice, with Express.
//
//   PORT=5000 STORE=webhooks.jsonl node receiver.js
//
// The store is a file with a line for each webhook, which is on the disk before the answer. With several processes put a table in its place:
// a unique index on `identity`, and INSERT ... ON CONFLICT DO NOTHING.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const express = require('express');

const store = open(process.env.STORE ?? 'webhooks.jsonl');
const app = express();
app.disable('x-powered-by');
app.disable('etag');

// Two Hosts, and a body whose length is said in two ways, are for somebody else to read differently.
app.use((request, response, next) => {
  const names = request.rawHeaders.filter((_, n) => n % 2 === 0).map((name) => name.toLowerCase());
  if (names.filter((name) => name === 'host').length > 1) return response.set('Connection', 'close').status(400).send('send one Host\n');
  return next();
});

// The bytes as they came: a parser would round numbers. Whatever is no webhook is refused with 4xx, and never breaks anything.
const body = express.raw({ type: () => true, limit: '1mb', inflate: false });
app.post('/webhook/cdr', isJson, body, async (request, response) => {
  const webhook = read(request.body);
  await store.add(webhook);
  response.type('text').send('got it\n');
});
app.all('/webhook/cdr', (_request, response) => response.set('Allow', 'POST').status(405).send('POST webhooks here\n'));

// For tests on this machine only: docs/observing.md.
app.get('/__observe', (request, response) => {
  if ('capabilities' in request.query) return response.json({ observe: 1, fields: true, state: false, quarantine: false });
  return response.type('application/x-ndjson').send(store.since(Number(request.query.since ?? 0)));
});
app.use((_request, response) => response.status(404).type('text').send('nothing is here\n'));
app.use((error, _request, response, _next) => {
  const isTheirs = error.status >= 400 && error.status < 500;
  if (!isTheirs) console.error(error);
  if (response.headersSent) return response.destroy();
  // What is left of a body that was not read would pass for the next request.
  response.set('Connection', 'close').status(isTheirs ? error.status : 503);
  if (!isTheirs) response.set('Retry-After', '30');
  return response.type('text').send(isTheirs ? `${error.message}\n` : 'the store is away\n');
});

function isJson(request, _response, next) {
  const type = (request.headers['content-type'] ?? 'application/json').split(';')[0].trim().toLowerCase();
  return next(type === 'application/json' ? undefined : refusal(415, 'send application/json'));
}

function refusal(status, message) {
  return Object.assign(new Error(message), { status });
}

/** What a webhook is, and what makes two deliveries the same: there is no event id. */
function read(bytes) {
  let text;
  let webhook;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    webhook = JSON.parse(text);
  } catch {
    throw refusal(400, 'the body is not JSON in UTF-8');
  }
  if (webhook === null || typeof webhook !== 'object' || Array.isArray(webhook)) throw refusal(422, 'the body is no object');
  for (const key of ['cmiuuid', 'status']) {
    if (typeof webhook[key] !== 'string' || webhook[key] === '') throw refusal(422, `${key} is missing, or is no text`);
  }
  const { cmiuuid, status, leg = null } = webhook;
  const kind = kindOf(webhook);
  const identity = JSON.stringify([kind, cmiuuid, leg, status, kind === 'cdr' ? null : webhook.time ?? null]);
  // One line: outside of texts a line end is white space.
  return { kind, cmiuuid, leg, status, identity, fields: text.replace(/[\r\n]/g, ' ') };
}

/** `type` says it where there is one; the current pages have none, and only a CDR tells of a whole leg. */
function kindOf(webhook) {
  if (webhook.type !== undefined) return webhook.type === 'cdr' || webhook.type === 'event' ? webhook.type : 'unknown';
  return ['duration', 'start_time', 'end_time'].some((key) => webhook[key] !== undefined) ? 'cdr' : 'event';
}

/** Webhooks in a file: one write and one sync for all that wait, and each identity once. */
function open(path) {
  const kept = fs.existsSync(path) ? fs.readFileSync(path) : Buffer.alloc(0);
  const whole = kept.subarray(0, kept.lastIndexOf(10) + 1);
  const lines = whole.toString('utf8').split('\n').filter((line) => line !== '');
  const known = new Map(lines.map((line) => [JSON.parse(line).identity, Promise.resolve()]));
  const file = fs.openSync(path, 'a');
  // What a crash left half written was not acknowledged.
  fs.ftruncateSync(file, whole.length);
  let written = whole.length;
  let isTorn = false;
  let waiting = [];
  let writing = false;

  const inFile = (call, ...args) => new Promise((resolve, reject) => fs[call](file, ...args, (error, value) => (error ? reject(error) : resolve(value))));
  async function write() {
    if (writing) return;
    writing = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      const added = batch.map(({ webhook: { fields, ...told } }, n) => `${JSON.stringify({ seq: lines.length + n + 1, ...told }).slice(0, -1)},"fields":${fields}}`);
      const bytes = Buffer.from(added.map((line) => `${line}\n`).join(''));
      try {
        // What failed before may have left a part of a line, and nothing goes behind that.
        if (isTorn) await inFile('ftruncate', written);
        isTorn = true;
        // A disk that is nearly full takes a part, and says so.
        for (let at = 0; at < bytes.length; ) at += await inFile('write', bytes, at);
        await inFile('fdatasync');
        isTorn = false;
        written += bytes.length;
        lines.push(...added);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { webhook, reject } of batch) {
          known.delete(webhook.identity);
          reject(error);
        }
      }
    }
    writing = false;
  }

  return {
    /** Ends when the webhook is on the disk, the first one or a copy that came meanwhile. */
    add(webhook) {
      const before = known.get(webhook.identity);
      if (before !== undefined) return before;
      const kept = new Promise((resolve, reject) => waiting.push({ webhook, resolve, reject }));
      known.set(webhook.identity, kept);
      void write();
      return kept;
    },
    since: (seq) => lines.slice(seq).map((line) => `${line}\n`).join(''),
  };
}

const server = http.createServer(app);
Object.assign(server, { headersTimeout: 10_000, requestTimeout: 20_000, keepAliveTimeout: 5_000, connectionsCheckingInterval: 1_000 });
// Who has said all may close that half: they still wait for the answer.
server.httpAllowHalfOpen = true;
server.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', 1024, () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    setTimeout(() => process.exit(0), 5_000).unref();
  });
}
