import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/ffi/boot-clock.ts';

/** proc_uptime(5): seconds since boot, sleep included, in hundredths. */
const uptimeMs = (): number => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;

test('the boot clock equals that of the kernel and never goes back', async () => {
  let last = 0;
  for (let look = 0; look < 5; look++) {
    for (let reading = 0; reading < 10_000; reading++) {
      const { bootMs } = systemClock.now();
      expect(bootMs).toBeGreaterThanOrEqual(last);
      last = bootMs;
    }
    const earliest = uptimeMs();
    const { bootMs } = systemClock.now();
    expect(bootMs).toBeGreaterThanOrEqual(earliest - 1);
    expect(bootMs).toBeLessThan(uptimeMs() + 11);
    await sleep(15);
  }
});
