/** A shim exits after its last message: a later request finds no listener, and its client must still get the end. */
import { execFileSync } from 'node:child_process';
import { closeSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeFrame, encodeNumber, REQUEST } from '../../../src/drivers/exec/native/shim/shim-protocol.ts';
import { connectTo } from '../../../src/ffi/sockets/sockets.ts';
import { execSpec } from '../../support/exec-specs.ts';
import { BUSYBOX, Fixture, finish, shell, shimsOf } from './fixture.ts';
import { handMadeDriver } from './hand-made-driver.ts';

let fixture: Fixture;

beforeEach(() => {
  fixture = new Fixture(handMadeDriver);
});
afterEach(() => fixture.dispose());

describe('the last messages of a shim that has exited', () => {
  /** Without a turn of the event loop, so that nothing has been read when the next request meets no one. */
  const waitUntilLeft = (containerId: string, left: number): void => {
    while (shimsOf(containerId).length > left) execFileSync('true');
  };
  const script = 'read line; echo "got $line"; echo err >&2; exit 6';
  const lastWords = { stdout: 'got a\n', stderr: 'err\n', exitCode: 6 };

  it('reach an attached client whose request was late', async () => {
    const spec = fixture.spec(shell(script), { stdin: true });
    await fixture.driver.start(spec);
    const session = await fixture.driver.attach(spec.containerId);
    session.stdin?.write('a\n');
    waitUntilLeft(spec.containerId, 0);
    session.signal(15);
    session.stdin?.end();
    expect(await finish(session)).toEqual(lastWords);
  });

  it('reach an exec session whose request was late', async () => {
    const { containerId } = await fixture.driver.start(fixture.spec([BUSYBOX, 'sleep', '1000']));
    const session = await fixture.driver.exec(containerId, execSpec(shell(script), { stdin: true }));
    session.stdin?.write('a\n');
    waitUntilLeft(containerId, 1);
    session.signal(15);
    session.stdin?.end();
    expect(await finish(session)).toEqual(lastWords);
  });

  it('are followed by a clean end, also with unread requests', async () => {
    const spec = fixture.spec(shell(script), { stdin: true });
    await fixture.driver.start(spec);
    const socket = connectTo(join(fixture.instance.runDir, 'shim', `${spec.containerId.slice(0, 12)}.1.sock`));
    try {
      // It serves one request a turn: most of these are still there when the payload has ended.
      const probes = Array.from({ length: 5000 }, () => encodeFrame(REQUEST.kill, encodeNumber(0)));
      const input = encodeFrame(REQUEST.input, Buffer.from('a\n'));
      writeSync(socket, Buffer.concat([encodeFrame(REQUEST.attach), input, ...probes]));
      waitUntilLeft(spec.containerId, 0);
      const told: Buffer[] = [];
      for (let bytes = 1; bytes > 0; ) {
        const piece = Buffer.alloc(65536);
        bytes = readSync(socket, piece);
        told.push(piece.subarray(0, bytes));
      }
      expect(Buffer.concat(told).includes('got a')).toBe(true);
    } finally {
      closeSync(socket);
    }
  });
});
