import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { type OpenState, stateOpener } from '../../support/open-root.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('secrets');
const open = stateOpener();
let base = '';
let state: OpenState;
beforeEach(async () => {
  base = directory();
  state = await open(base);
});

const VALUE = 'correct horse battery staple\n';

it('stores a value only in the run directory, for root only', () => {
  const reference = state.secrets.put(VALUE);
  expect(reference).toMatch(/^tsd-secret:[0-9a-f]{64}$/);
  expect(state.secrets.get(reference)).toBe(VALUE);
  const [name = ''] = readdirSync(join(base, 'run/secrets'));
  expect(statSync(join(base, 'run/secrets', name)).mode & 0o777).toBe(0o600);
  expect(statSync(join(base, 'run/secrets')).mode & 0o777).toBe(0o700);
  expect(statSync(join(base, 'root/secret.key')).mode & 0o777).toBe(0o600);
  expect(() => execFileSync('grep', ['-r', 'battery', join(base, 'root')])).toThrow();
});

it('gives equal values equal references, in this root only', async () => {
  const other = await open(directory());
  expect(state.secrets.reference(VALUE)).toBe(state.secrets.put(VALUE));
  expect(state.secrets.reference('x')).not.toBe(state.secrets.reference(VALUE));
  expect(other.secrets.reference(VALUE)).not.toBe(state.secrets.reference(VALUE));
});

it('keeps references after a restart and drops values after a reboot', async () => {
  const reference = state.secrets.put(VALUE);
  await state.close();
  const restarted = await open(base);
  expect(restarted.secrets.get(reference)).toBe(VALUE);
  await restarted.close();
  rmSync(join(base, 'run'), { recursive: true });
  const rebooted = await open(base);
  expect(rebooted.secrets.get(reference)).toBeNull();
  expect(rebooted.secrets.put(VALUE)).toBe(reference);
});

it('drops values without a reference', () => {
  const [kept, dropped] = [state.secrets.put('a'), state.secrets.put('b')];
  state.secrets.prune(new Set([kept]));
  expect([state.secrets.get(kept), state.secrets.get(dropped)]).toEqual(['a', null]);
});

it('ignores text that is not a reference', () => {
  expect(state.secrets.get('tsd-secret:../../../etc/shadow')).toBeNull();
});

it('does not start with a damaged key', async () => {
  await state.close();
  writeFileSync(join(base, 'root/secret.key'), 'short');
  await expect(open(base)).rejects.toMatchObject({ code: 'TSD_STATE_CORRUPT' });
  // The locks were given up: the next start fails for the same reason and not because of them.
  await expect(open(base)).rejects.toMatchObject({ code: 'TSD_STATE_CORRUPT' });
});
