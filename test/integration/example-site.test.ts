import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findBusybox } from '../support/images.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const EXAMPLE = resolve(import.meta.dirname, '../../examples/site');
let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});
afterEach(() => supervisor.destroy());

const page = async (): Promise<string> => (await fetch('http://127.0.0.1:28081/')).text();

test.skipIf(findBusybox() === null)(
  'the site is built, served, and follows its pages (needs busybox-static)',
  async () => {
    const copy = join(supervisor.base, 'site');
    cpSync(EXAMPLE, copy, { recursive: true });
    const file = join(copy, 'site.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('18081', '28081'));
    await supervisor.ok('apply', '--wait=2m', '-f', file);
    await expect.poll(page).toMatch(/<h1>A site<\/h1><pre>\nWelcome\./);
    const { id } = await supervisor.waitFor('web', 'running', ({ phase }) => phase === 'Running');
    writeFileSync(join(copy, 'app/notes.md'), 'An ignored file changes nothing.\n');
    writeFileSync(join(copy, 'app/pages/index.txt'), 'Changed & <built>.\n');
    await supervisor.waitFor('web', 'recreated', (view) => view.id !== id && view.phase === 'Running');
    await expect.poll(page).toContain('Changed &amp; &lt;built>.');
    const manual = ['build', '-t', 'site:manual', '--build-context', 'busybox=docker-image://site/busybox'];
    await supervisor.ok(...manual, '--build-arg', 'TITLE=A site', join(copy, 'app'));
    const images = JSON.parse(await supervisor.ok('images', '-o', 'json')) as { id: string; tags: string[] }[];
    expect(images.find(({ tags }) => tags.includes('site:manual'))?.tags).toContain('site/site:latest');
  },
);
