import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { writeNdjson } from '../../../src/api/ndjson.ts';
import { gate } from '../../support/wait.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('a long stream keeps none of its sent items in memory', async () => {
  const sent: WeakRef<object>[] = [];
  const allSent = gate();
  async function* items(): AsyncGenerator<object> {
    for (let line = 0; line < 500; line++) {
      const item = { line };
      sent.push(new WeakRef(item));
      yield item;
    }
    allSent.open();
    await new Promise<never>(() => {});
  }
  const leaving = new AbortController();
  let written: Promise<void> = Promise.resolve();
  const server = createServer((_, response) => {
    written = writeNdjson(response, items(), leaving.signal);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const call = request({ port: (server.address() as AddressInfo).port }, (answer) => answer.resume());
  // It is cut off in the end.
  call.on('error', () => undefined);
  call.end();
  await allSent.passed;
  await new Promise((next) => setImmediate(next));
  collectGarbage();
  const kept = sent.filter((item) => item.deref() !== undefined).length;
  expect(sent).toHaveLength(500);
  expect(kept).toBeLessThan(10);
  leaving.abort();
  await written;
  call.destroy();
  await new Promise((closed) => server.close(closed));
});
