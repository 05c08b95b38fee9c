import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { loadDeviceProgram } from '../../../src/ffi/bpf.ts';

/** r0 += 0, a hundred times, then `return r0`: long enough to be met by a signal now and then while it is verified. */
function longProgram(): Buffer {
  const move = Buffer.from([0xb7, 0, 0, 0, 1, 0, 0, 0]);
  const add = Buffer.from([0x07, 0, 0, 0, 0, 0, 0, 0]);
  const exit = Buffer.from([0x95, 0, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([move, ...Array.from({ length: 100 }, () => add), exit]);
}

test('a program loads during a flood of signals', async () => {
  let signals = 0;
  process.on('SIGUSR2', () => signals++);
  // A tenth of a millisecond between two: a flood without a pause would meet every try.
  const pause = 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); done';
  const sender = spawn('sh', ['-c', `while kill -USR2 ${process.pid}; do ${pause}; done`], { stdio: 'ignore' });
  try {
    while (signals === 0) await sleep(1);
    for (let round = 0; round < 2000; round++) {
      const fd = loadDeviceProgram(longProgram());
      expect(fd).toBeGreaterThan(2);
      closeSync(fd);
    }
  } finally {
    sender.kill('SIGKILL');
    await once(sender, 'close');
    process.removeAllListeners('SIGUSR2');
  }
});
