import { expect, test } from 'vitest';
import type { ObservedContainer } from '../../../src/model/observed.ts';
import type { Hold } from '../../../src/reconcile/op.ts';
import { containerHint } from '../../../src/supervisor/views/hints.ts';
import { hostWith } from '../../support/planning.ts';

const KEY = 'container/blog/web';
const BLOG = { blog: { images: { app: './app.tar' }, containers: { web: {} } } };

function observed(change: Partial<ObservedContainer>): ObservedContainer {
  const host = hostWith(BLOG);
  host.change(KEY, change);
  return host.container(KEY);
}

const hold = (reason: Hold['reason'], untilBootMs: number | null = null): Hold => ({
  key: KEY,
  reason,
  message: '',
  untilBootMs,
});
const exit = (code: number | null) =>
  ({
    running: false,
    exit: { code, oomKilled: false, finishedAtWallMs: 0, finishedAtBootMs: 0, ranForMs: 1 },
  }) as const;
const LOGS = '`tsdocker logs blog/web` shows what it wrote.';

test('an unexpected end has a hint to the log', () => {
  expect(containerHint(KEY, observed(exit(3)), hold('backing-off'))).toBe(LOGS);
  expect(containerHint(KEY, observed(exit(3)), hold('failed'))).toBe(LOGS);
  expect(containerHint(KEY, observed(exit(3)), hold('finished'))).toBe(LOGS);
  expect(containerHint(KEY, observed(exit(0)), hold('finished'))).toBe('');
  expect(containerHint(KEY, observed(exit(3)), hold('stopped-by-user'))).toBe('');
});

test('a failed probe has a hint to its results, a pending one has none', () => {
  const results = [{ probe: 'check', atWallMs: 0, ok: false, ms: 1, output: 'no' }] as const;
  const health = {
    state: 'starting',
    ready: false,
    message: '',
    firstReadyAtBootMs: null,
    readySinceBootMs: null,
  } as const;
  const sick = observed({ running: true, health: { ...health, results } });
  expect(containerHint(KEY, sick, undefined)).toContain('`tsdocker describe blog/web` shows what its probes got');
  expect(containerHint(KEY, observed({ running: true, health: { ...health, results: [] } }), undefined)).toBe('');
});

test('a wait for the host has a command as hint', () => {
  const missing = { ...hold('unavailable', 2000), hint: '`mkdir -p /srv/web`' };
  expect(containerHint(KEY, undefined, missing)).toBe('`mkdir -p /srv/web`');
  expect(containerHint(KEY, observed({ running: true }), missing)).toBe('`mkdir -p /srv/web`');
  expect(containerHint(KEY, undefined, hold('unavailable'))).toBe('');
});
