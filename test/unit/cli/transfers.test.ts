import { beforeEach, describe, expect, test } from 'vitest';
import { type TransferProgress, Transfers } from '../../../src/cli/output/transfers.ts';
import { tsdocker } from '../../support/api/in-process.ts';
import { useTerminal } from '../../support/api/terminal.ts';

const MIB = 1024 ** 2;
const BLOB = 'a1b2c3d4e5f6';
let nowMs: number;
let transfers: Transfers;
beforeEach(() => {
  nowMs = 1_000_000;
  transfers = new Transfers(() => nowMs);
});

const progress = (
  current: number,
  total: number | null,
  message = `downloading ${BLOB}`,
  part: TransferProgress['part'] = { step: 'download', item: BLOB },
): TransferProgress => ({ type: 'progress', resource: 'app:1', message, current, total, part });
const reading = (what: string): TransferProgress => ({
  type: 'progress',
  resource: 'app:1',
  message: `reading ${what}`,
  current: 0,
  total: null,
});

describe('a transfer', () => {
  test('shows progress, speed and remaining time', () => {
    expect(transfers.describe(progress(0, 80 * MIB))).toBe(`app:1: downloading ${BLOB} 0% of 80MiB`);
    nowMs += 1000;
    expect(transfers.describe(progress(10 * MIB, 80 * MIB))).toBe(
      `app:1: downloading ${BLOB} 12% of 80MiB, 10MiB/s, 7s left`,
    );
    nowMs += 7000;
    expect(transfers.describe(progress(80 * MIB, 80 * MIB))).toBe(`app:1: downloading ${BLOB} 100% of 80MiB, 10MiB/s`);
  });

  test('shows the speed of the last seconds, and none when it stalls', () => {
    transfers.describe(progress(0, 900 * MIB));
    nowMs += 1000;
    transfers.describe(progress(100 * MIB, 900 * MIB));
    nowMs += 4000;
    expect(transfers.describe(progress(100 * MIB, 900 * MIB))).toMatch(/20MiB\/s, 40s left$/);
    nowMs += 2000;
    expect(transfers.describe(progress(100 * MIB, 900 * MIB))).toMatch(/11% of 900MiB$/);
  });

  test('of unknown length shows bytes and speed, and a restarted one is measured from its restart', () => {
    transfers.describe(progress(0, null));
    nowMs += 2000;
    expect(transfers.describe(progress(4 * MIB, null))).toBe(`app:1: downloading ${BLOB} 4MiB, 2MiB/s`);
    nowMs += 2000;
    expect(transfers.describe(progress(MIB, null))).toBe(`app:1: downloading ${BLOB} 1MiB`);
    nowMs += 1000;
    expect(transfers.describe(progress(2 * MIB, null))).toBe(`app:1: downloading ${BLOB} 2MiB, 1MiB/s`);
  });

  test('prints few lines where lines cannot be rewritten', () => {
    const lines: string[] = [];
    for (let percent = 0; percent <= 100; percent += 1) {
      const line = transfers.line(progress(percent * MIB, 100 * MIB));
      if (line !== null) lines.push(line);
      nowMs += 1000;
    }
    expect(lines).toEqual([
      `app:1: downloading ${BLOB} 0% of 100MiB`,
      `app:1: downloading ${BLOB} 25% of 100MiB, 1MiB/s, 1m15s left`,
      `app:1: downloading ${BLOB} 50% of 100MiB, 1MiB/s, 50s left`,
      `app:1: downloading ${BLOB} 75% of 100MiB, 1MiB/s, 25s left`,
      `app:1: downloading ${BLOB} 100% of 100MiB, 1MiB/s`,
    ]);
    expect(transfers.line(progress(100 * MIB, 100 * MIB))).toBeNull();
  });

  test('that is short prints a first and a last line', () => {
    const lines = [1, 2, 3, 4].map((part) => transfers.line(progress(part * MIB, 4 * MIB)));
    expect(lines).toEqual([
      `app:1: downloading ${BLOB} 25% of 4MiB`,
      null,
      null,
      `app:1: downloading ${BLOB} 100% of 4MiB`,
    ]);
    expect(
      transfers.line(progress(0, null, 'layer exists', { step: 'layer', item: BLOB, state: 'exists' })),
    ).toBeNull();
    expect(transfers.line(reading('app'))).toBe('app:1: reading app');
  });
});

describe('on a terminal', () => {
  const { served } = useTerminal();

  test('each download has its own line until it ends, and finished lines stay', async () => {
    served().supervisor.registry.events = [
      reading('app:1'),
      progress(MIB, 4 * MIB),
      progress(MIB, 2 * MIB, 'downloading bbbbbbbbbbbb', { step: 'download', item: 'bbbbbbbbbbbb' }),
      progress(4 * MIB, 4 * MIB),
      { type: 'result', resource: 'app:1', message: 'pulled app:1, sha256:1' },
      { type: 'ready', generation: 0 },
    ];
    const { stdout } = await tsdocker(['pull', 'app:1'], { host: served().host, columns: 80 });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what moves the cursor up and erases parts the screens
    const screens = stdout.split(/(?:\u001b\[\d+A)?\r\u001b\[J/).map((text) => text.trim().split(/\n\s*/));
    expect(screens.filter(([first]) => first !== '')).toEqual([
      ['app:1: reading app:1'],
      [`app:1: downloading ${BLOB} 25% of 4MiB`],
      [`app:1: downloading ${BLOB} 25% of 4MiB`, 'app:1: downloading bbbbbbbbbbbb 50% of 2MiB'],
      ['app:1: downloading bbbbbbbbbbbb 50% of 2MiB'],
      ['pulled app:1, sha256:1', 'app:1: downloading bbbbbbbbbbbb 50% of 2MiB'],
      ['app:1: downloading bbbbbbbbbbbb 50% of 2MiB'],
    ]);
    expect(screens.at(-1)).toEqual(['']);
  });
});
