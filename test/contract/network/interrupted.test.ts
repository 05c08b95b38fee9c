import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { enterPrivateHost } from './private-host.ts';

beforeAll(() => {
  enterPrivateHost();
});

/** In a process of its own, which its timer sends a signal every 25 µs: setitimer(2). Prints the errors, each once. */
const CHANGES = `
const { callNumber } = await import('./src/ffi/call/foreign.ts');
const { Nftables } = await import('./src/ffi/network/nftables.ts');
let isSignalled = false;
process.on('SIGALRM', () => { isSignalled = true; });
const every = (us) => {
  const interval = Buffer.alloc(64);
  for (const at of [8, 24]) interval.writeBigInt64LE(us, at);
  callNumber('libc', 'setitimer', [0, interval, null]);
};
every(25n);
while (!isSignalled) await new Promise(setImmediate);
const nft = new Nftables();
const errors = new Set();
for (let round = 0; round < 200; round++) {
  for (const command of ['add table inet tsdq', 'add chain inet tsdq one', 'list table inet tsdq', 'delete table inet tsdq']) {
    try {
      nft.run('change', command);
    } catch ({ message }) {
      errors.add(message);
    }
  }
}
every(0n);
console.log(JSON.stringify([...errors]));
`;

test('signals do not fail a change of the rules', () => {
  const root = join(import.meta.dirname, '../../..');
  const typescript = join(root, 'test/support/run-typescript.mjs');
  const script = ['--import', typescript, '--input-type=module', '-e', CHANGES];
  const answer = execFileSync(process.execPath, script, { cwd: root, encoding: 'utf8' });
  expect(JSON.parse(answer)).toEqual([]);
});
