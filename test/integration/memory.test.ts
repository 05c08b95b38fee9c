import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ociLayout, tarOf, writeFiles } from '../support/images.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const MIB = 1024 ** 2;
const LAYER_MIB = 320;
/** What streaming may cost; a layer held in memory costs its size. */
const GROWTH_MIB = 120;

let supervisor: TestSupervisor;
beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});
afterEach(() => supervisor.destroy());

const peakMib = (): number =>
  Number(/^VmHWM:\s*(\d+) kB/m.exec(readFileSync(`/proc/${supervisor.pid}/status`, 'utf8'))?.[1]) / 1024;

test('a layer is never held in memory, however well it is compressed', async () => {
  const layout = join(supervisor.base, 'layout');
  mkdirSync(layout);
  // Zeros inflate faster than any disk writes.
  const layers = [tarOf({ path: 'zeros', content: Buffer.alloc(LAYER_MIB * MIB) })];
  writeFiles(layout, ociLayout({ layers, names: ['big'] }));
  const before = peakMib();
  const manifest = supervisor.file('big.yaml', `images: { big: { layout: ${layout} } }\n`);
  await supervisor.ok('apply', '--wait=2m', '-f', manifest);
  expect(await supervisor.ok('images')).toContain('big');
  expect(peakMib() - before).toBeLessThan(GROWTH_MIB);
});
