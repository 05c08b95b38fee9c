/** macvlan, ipvlan, VLANs and interfaces that lead nowhere, in a kernel that has them all: the guest. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Guest, guestProblem } from '../support/guest/machine.ts';

const MINUTES = 60_000;
const FILES = ['test/contract/network/l2.test.ts', 'test/contract/network/drivers.test.ts'];
const problem = guestProblem();

if (problem !== null) describe('networks on an interface of the host', () => it.skip(`needs a guest: ${problem}`));
else {
  describe('networks on an interface of the host', () => {
    let guest: Guest;
    beforeAll(async () => {
      guest = await Guest.boot();
    }, 20 * MINUTES);
    afterAll(() => guest?.destroy());

    it(
      'fulfil the contract of network drivers in all modes',
      async () => {
        const vitest = 'node node_modules/vitest/vitest.mjs run --project contract --testTimeout 300000';
        const { stdout, stderr } = await guest.run(
          `cd /opt/tsdocker && ${vitest} --reporter=json --outputFile=/run/results.json ${FILES.join(' ')}`,
          60 * MINUTES,
        );
        const results = JSON.parse(await guest.ok('cat /run/results.json')) as {
          testResults: { assertionResults: { status: string; fullName: string; failureMessages: string[] }[] }[];
        };
        const all = results.testResults.flatMap(({ assertionResults }) => assertionResults);
        expect(
          all.filter(({ status }) => status === 'failed'),
          `${stdout}${stderr}`,
        ).toEqual([]);
        const passed = all.filter(({ status }) => status === 'passed').map(({ fullName }) => fullName);
        for (const part of [
          'network driver ipvlan',
          'ipvlan connects containers in mode l3s',
          'a VLAN',
          'without a parent',
        ]) {
          expect(passed.some((name) => name.includes(part))).toBe(true);
        }
      },
      70 * MINUTES,
    );
  });
}
