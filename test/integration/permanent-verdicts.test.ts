/** A command that waits ends at once for errors that only an edit can fix. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ContainerView } from '../../src/api/views/resource-views.ts';
import { findBusybox } from '../support/images.ts';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const busybox = findBusybox();
let supervisor: TestSupervisor;
beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});
afterEach(() => supervisor.destroy());

const app = (container: string): string => `${BUSYBOX_IMAGE}containers:\n  web: ${container}\n`;

/** Longer than a test may take. */
const WAIT = '--wait=1h';

test.each([
  ['a program that is not in the image', 'command: [no-such-program]', '"no-such-program" is not in the image'],
  ['a user that is not in the image', `command: ${FOREVER}, user: stranger`, 'user "stranger" is not in /etc/passwd'],
])('%s ends the wait of apply under each policy', async (_, container, words) => {
  for (const policy of ['"no"', 'always']) {
    const file = supervisor.file('app.yaml', app(`{ image: busybox, ${container}, restart: ${policy} }`));
    const { status, stderr } = await supervisor.cli('apply', WAIT, '-f', file);
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining(words) as string });
    expect(stderr).toContain('hint: ');
    expect(stderr).not.toContain('not ready after');
  }
  // The loop continues anyway, and a repaired manifest is waited for.
  const mended = supervisor.file('app.yaml', app(`{ image: busybox, command: ${FOREVER}, restart: always }`));
  await supervisor.ok('apply', '--wait=2m', '-f', mended);
});

test.skipIf(busybox === null)('a program missing from a bind of the host is waited for', async () => {
  const tools = join(supervisor.base, 'tools');
  mkdirSync(tools);
  const bound = `{ image: busybox, command: [/tools/start], volumes: ["${tools}:/tools"], restart: always }`;
  const file = supervisor.file('app.yaml', app(bound));
  const waiting = supervisor.cli('apply', WAIT, '-f', file);
  const isWaiting = ({ phase, message }: ContainerView) => phase === 'BackingOff' && message.includes('/tools/start');
  await supervisor.waitFor('web', 'is tried again', isWaiting);
  writeFileSync(join(tools, 'start'), `#!${busybox} sh\nexec ${busybox} sleep 1000\n`, { mode: 0o755 });
  const { status, stderr } = await waiting;
  expect({ status, stderr }).toMatchObject({ status: 0 });
});
