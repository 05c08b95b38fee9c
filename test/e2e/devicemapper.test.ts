/** The devicemapper driver where there is a device mapper: the contract suite, in the guest. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Guest, guestProblem } from '../support/guest/machine.ts';

const MINUTES = 60_000;
const problem = guestProblem();

if (problem !== null) describe('devicemapper', () => it.skip(`needs a guest: ${problem}`));
else {
  describe('devicemapper', () => {
    let guest: Guest;
    beforeAll(async () => {
      guest = await Guest.boot();
    }, 20 * MINUTES);
    afterAll(() => guest?.destroy());

    it(
      'fulfils the contract of graph drivers',
      async () => {
        const vitest = 'node node_modules/vitest/vitest.mjs run --project contract --testTimeout 300000';
        const { stdout, stderr } = await guest.run(
          `cd /opt/tsdocker && ${vitest} --reporter=json --outputFile=/run/results.json test/contract/graph/devicemapper.test.ts`,
          60 * MINUTES,
        );
        const results = JSON.parse(await guest.ok('cat /run/results.json'));
        const failed = results.testResults
          .flatMap(
            ({
              assertionResults,
            }: {
              assertionResults: { status: string; fullName: string; failureMessages: string[] }[];
            }) => assertionResults,
          )
          .filter(({ status }: { status: string }) => status !== 'passed');
        expect(failed, `${stdout}${stderr}`).toEqual([]);
        expect(results.numPassedTests).toBeGreaterThan(25);
        expect(await guest.ok('dmsetup ls')).toBe('No devices found\n');
        expect(await guest.ok('losetup -a')).toBe('');
      },
      70 * MINUTES,
    );
  });
}
