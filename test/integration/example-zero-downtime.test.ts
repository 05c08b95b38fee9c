import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findBusybox } from '../support/images.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const EXAMPLE = resolve(import.meta.dirname, '../../examples/zero-downtime/zero-downtime.yaml');
let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});
afterEach(() => supervisor.destroy());

test.skipIf(findBusybox() === null)(
  'the example is updated without a failed request, and a bad edit leaves it serving (needs busybox-static)',
  async () => {
    const port = await freePort();
    const text = readFileSync(EXAMPLE, 'utf8').replace('18082', String(port));
    const file = supervisor.file('zero-downtime.yaml', text);
    const page = async (): Promise<string> => {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
      return (await answer.text()).trim();
    };
    await supervisor.ok('apply', '--wait', '-f', file);
    const answers = new Set<string>();
    let going = true;
    const client = (async () => {
      while (going) answers.add(await page().catch((error: Error) => `failed: ${error.message}`));
    })();

    const two = text.replace('PAGE: one', 'PAGE: two');
    writeFileSync(file, two);
    await supervisor.ok('apply', '--wait', '-f', file);
    await expect.poll(page, { timeout: 30_000 }).toBe('two');
    writeFileSync(file, two.replace('exec busybox httpd', 'exit 3; exec busybox httpd'));
    const failed = await supervisor.cli('apply', '--wait', '-f', file);
    expect(failed.status).not.toBe(0);
    expect(failed.stdout + failed.stderr).toContain('exited with 3');
    expect(await page()).toBe('two');
    going = false;
    await client;
    expect([...answers]).toEqual(['one', 'two']);
  },
);
