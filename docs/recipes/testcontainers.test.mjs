// The suite in a container, for Node's own test runner: npm install --save-dev testcontainers
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GenericContainer, TestContainers, Wait } from 'testcontainers';

// Where your application listens on this machine; the container reaches it by the name below.
const port = Number(process.env.APP_PORT ?? 5000);
const host = 'host.testcontainers.internal';

test('the receiver stands what the platform may do to it', { timeout: 600_000 }, async () => {
  await TestContainers.exposeHostPorts(port);
  const said = [];
  const suite = new GenericContainer('registry.example/piopiy:0.1.0')
    .withEntrypoint(['/piopiy-mock'])
    .withCommand([
      'check', `http://${host}:${port}/webhook/cdr`, '--allow-host', host, '--level', 'must', '--no-failures',
      '--fail-on', 'must', '--color', 'never',
    ])
    .withLogConsumer((stream) => stream.on('data', (line) => said.push(line)))
    // Ends well if the program ends with exit code 0, and fails with any other.
    .withWaitStrategy(Wait.forOneShotStartup())
    .withStartupTimeout(600_000);
  await assert.doesNotReject(suite.start(), () => said.join(''));
});
