/** A kernel that was started without IPv6: the guest. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DoctorCheck, InfoView } from '../../src/api/views/host-views.ts';
import type { ContainerView, NetworkView } from '../../src/api/views/resource-views.ts';
import { Guest, guestProblem } from '../support/guest/machine.ts';
import { BUSYBOX_IMAGE, IDLE, shell } from '../support/manifests.ts';

const MINUTES = 60_000;
const problem = guestProblem();

const SERVE = shell(`mkdir -p /www; echo hello > /www/index.html; busybox httpd -p 80 -h /www; ${IDLE}`);
const WEB = `${BUSYBOX_IMAGE}networks: { back: {} }
containers:
  web: { image: busybox, command: ${SERVE}, networks: [back], ports: ["8080:80"] }
  plain: { image: busybox, command: ${shell(IDLE)} }
`;

if (problem !== null) describe('a kernel without IPv6', () => it.skip(`needs a guest: ${problem}`));
else {
  describe('a kernel without IPv6', () => {
    let guest: Guest;
    const tsdocker = (command: string) => guest.ok(`/opt/tsdocker/bin/tsdocker ${command}`, 5 * MINUTES);
    const asked = async <T>(command: string): Promise<T> => JSON.parse(await tsdocker(`${command} -o json`)) as T;

    beforeAll(async () => {
      guest = await Guest.boot(null, 'ipv6.disable=1');
      await guest.ok('systemd-run --unit=tsdocker --property=Delegate=yes /opt/tsdocker/bin/tsdocker daemon');
      await tsdocker('info --wait=5m');
    }, 20 * MINUTES);
    afterAll(() => guest?.destroy());

    it(
      'has networks of IPv4 without a complaint, and says why where one looks',
      async () => {
        expect((await guest.run('ls /proc/net/if_inet6')).status).not.toBe(0);
        await guest.ok(`echo ${Buffer.from(WEB).toString('base64')} | base64 -d > /run/app.yaml`);
        expect(await tsdocker('apply --dry-run -f /run/app.yaml')).toContain('without IPv6: this kernel has no IPv6');
        await tsdocker('apply --wait=10m -f /run/app.yaml');
        for (const { endpoints } of await asked<ContainerView[]>('get containers')) {
          expect(endpoints).toEqual([expect.objectContaining({ ipv4: expect.any(String), ipv6: null })]);
        }
        expect((await asked<NetworkView[]>('get networks')).map(({ subnet6 }) => subnet6)).toEqual([null, null]);
        await guest.until('an answer', 'busybox wget -q -O - http://127.0.0.1:8080/ | grep hello');
        expect(await tsdocker('plan')).toContain('Nothing to do.');
        const info = await asked<InfoView>('info');
        expect(info.newNetworks).toEqual({ ipv6: false, lacking: 'this kernel has no IPv6' });
        expect(info.warnings.join()).not.toContain('IPv6');
        const checks = JSON.parse(
          (await guest.run('/opt/tsdocker/bin/tsdocker doctor -o json')).stdout,
        ) as DoctorCheck[];
        expect(checks.find(({ name }) => name === 'new networks')?.status).toBe('ok');
        expect(await guest.ok('journalctl -u tsdocker -o cat')).not.toMatch(/"level":[45]0.*IPv6/);
      },
      60 * MINUTES,
    );
  });
}
