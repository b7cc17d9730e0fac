'use strict';
// A PIOPIY application: a menu, an audio stream that says back what it hears, and webhooks that count once.

const http = require('node:http');
const express = require('express');
const { WebSocketServer } = require('ws');

const port = Number(process.env.PORT ?? 5000);
const app = express();
app.use(express.json({ limit: '256kb' }));

// The caller hears a menu and presses a key.
app.post('/answer', (request, response) => {
  response.json([
    {
      action: 'play_get_input',
      file_name: 'menu.wav',
      max_digit: 1,
      max_retry: 2,
      timeout: 5,
      action_url: `http://127.0.0.1:${port}/digits`,
    },
    { action: 'speak', text: 'Nothing was pressed. Goodbye.' },
    { action: 'hangup' },
  ]);
});

app.post('/digits', (request, response) => {
  // PIOPIY's samples have a string here.
  const digits = String(request.body?.dtmf ?? '');
  if (digits === '1') {
    const stream = { action: 'stream', ws_url: `ws://127.0.0.1:${port}/stream`, listen_mode: 'caller', voice_quality: '8000' };
    response.json([stream, { action: 'hangup' }]);
  } else if (digits === '2') {
    response.json([{ action: 'bridge', timeout: 20, connect: [{ type: 'pstn', number: 442079460000 }] }, { action: 'hangup' }]);
  } else {
    response.json([{ action: 'speak', text: 'Goodbye.' }, { action: 'hangup' }]);
  }
});

// There is no event id: this is what makes two deliveries the same webhook.
function identity(webhook) {
  const { cmiuuid, leg, status } = webhook;
  return JSON.stringify('duration' in webhook ? [cmiuuid, leg, 'cdr', status] : [cmiuuid, leg, 'event', status, webhook.time]);
}

const seen = new Set();

app.post('/webhook/cdr', (request, response) => {
  const webhook = request.body;
  if (webhook === null || typeof webhook !== 'object' || typeof webhook.cmiuuid !== 'string') {
    response.status(400).send('this is no webhook');
    return;
  }
  const key = identity(webhook);
  if (!seen.has(key)) {
    seen.add(key);
    console.log(`webhook ${'duration' in webhook ? 'cdr' : 'event'} ${webhook.status} ${webhook.leg}`);
  }
  response.send('got it');
});

// What the body parser refuses is the client's fault, and no stack trace is its business.
app.use((error, request, response, next) => {
  response.status(error.status ?? 500).send('the body cannot be read');
});

const server = http.createServer(app);
const sockets = new WebSocketServer({ server, path: '/stream' });
sockets.on('connection', (socket) => {
  let frames = 0;
  socket.on('message', (data, isBinary) => {
    // Binary frames are 16-bit samples; what is said goes back as text.
    if (!isBinary) return;
    frames += 1;
    const data64 = data.toString('base64');
    socket.send(JSON.stringify({ type: 'streamAudio', data: { audioDataType: 'raw', sampleRate: 8000, audioData: data64 } }));
  });
  socket.on('close', () => console.log(`stream over after ${frames} frames`));
});

server.listen(port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    sockets.clients.forEach((socket) => socket.close(1001));
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}
