import { getEventListeners } from 'node:events';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ExecDriver } from '../../../src/drivers/contract/exec.ts';
import { systemTimers } from '../../../src/engine/timers.ts';
import { lookupError } from '../../../src/ffi/files/lookup.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';
import { type ConnectionPorts, checkConnection } from '../../../src/reconcile/health/connection-check.ts';
import { checkProgram } from '../../../src/reconcile/health/program-check.ts';
import type { ContainerRecord } from '../../../src/state/containers/container-record.ts';

const server = createServer((socket) => socket.end());
let port = 0;
beforeEach(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  port = (server.address() as { port: number }).port;
});
afterEach(() => {
  server.close();
});

const ABLE = { name: 'test', capabilities: { exec: true, attach: true, pause: true, limits: true } };

const record = {
  id: 'a',
  config: { User: '', WorkingDir: '' },
  owner: { written: { network: 'host' } },
} as unknown as ContainerRecord;

test('tries leave no listener on the signal of their run', async () => {
  const { signal } = new AbortController();
  const check = { type: 'tcp', host: null, port } as const;
  expect(await checkConnection({} as ConnectionPorts, systemTimers, record, check, 1000, signal)).toMatchObject({
    ok: true,
  });
  const exec = { ...ABLE, exec: () => Promise.reject(new Error('the container is gone')) } as unknown as ExecDriver;
  expect(await checkProgram(exec, systemTimers, record, ['true'], 1000, signal)).toMatchObject({ ok: false });
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('a program that cannot be looked up is no result, a missing one fails', async () => {
  const { signal } = new AbortController();
  const tried = (error: TsdError) => {
    const exec = { ...ABLE, exec: () => Promise.reject(error) } as unknown as ExecDriver;
    return checkProgram(exec, systemTimers, record, ['true'], 1000, signal);
  };
  const busy = lookupError('look up /bin/true', constants.errno.EAGAIN);
  expect(await tried(busy)).toEqual({ untried: busy });
  expect(await tried(new TsdError('TSD_COMMAND_NOT_FOUND', 'gone'))).toEqual({ ok: false, output: 'gone' });
});

test('a program that the driver cannot run is no result', async () => {
  const { signal } = new AbortController();
  const exec = { ...ABLE, capabilities: { ...ABLE.capabilities, exec: false } } as unknown as ExecDriver;
  expect(await checkProgram(exec, systemTimers, record, ['true'], 1000, signal)).toMatchObject({
    untried: { code: 'TSD_DRIVER_LACKS', message: 'exec driver test cannot run a program in a container' },
  });
});
