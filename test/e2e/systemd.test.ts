/** The Debian package under a real systemd with cgroup v2: what a service manager and a reboot do to containers. */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ContainerView } from '../../src/api/views/resource-views.ts';
import { Guest, guestProblem } from '../support/guest/machine.ts';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';

const MINUTES = 60_000;
const CHECKOUT = resolve(import.meta.dirname, '../..');
const problem = guestProblem();

/** Says when it is told to end, and then ends. */
const noisy = (name: string): string =>
  shell(`trap "echo ${name} >>/shared/order; exit 0" TERM; while :; do sleep 3600 & wait; done`);

const LINKED = `${BUSYBOX_IMAGE}containers:
  front: { image: busybox, command: ${noisy('front')}, links: [middle], volumes: ["/var/shared:/shared"], restart: always }
  middle: { image: busybox, command: ${noisy('middle')}, dependsOn: [back], volumes: ["/var/shared:/shared"], restart: always }
  back: { image: busybox, command: ${noisy('back')}, volumes: ["/var/shared:/shared"], restart: always }
`;
/** A host shutdown has to kill the first, has nothing to do with the second, and finds the third at its end. */
const OTHERS = `${BUSYBOX_IMAGE}containers:
  deaf: { image: busybox, command: ${shell('trap "" TERM; echo begun; while :; do sleep 3600; done')}, restart: always, stopTimeout: 1s }
  halted: { image: busybox, command: ${FOREVER}, restart: always }
  once: { image: busybox, command: ${shell('echo done once; exit 3')} }
`;
const KEPT = `${BUSYBOX_IMAGE}containers:
  kept: { image: busybox, command: ${FOREVER}, restart: always }
`;
/** Passes its controllers on, as a service manager does: no process may be in its own group any more. */
const NESTED = shell(
  'cd /sys/fs/cgroup; mkdir init; echo 1 >init/cgroup.procs; echo +pids >cgroup.subtree_control; exec tail -f /dev/null',
);
const LIMITED = `${BUSYBOX_IMAGE}containers:
  limited: { image: busybox, command: ${FOREVER}, resources: { memory: 64MiB, cpus: 0.5, pids: 50 } }
  greedy: { image: busybox, command: [busybox, tail, /dev/zero], resources: { memory: 32MiB, memorySwap: 32MiB } }
  bomb: { image: busybox, command: ${shell('(while :; do sleep 3600 & done) 2>/dev/null; exec tail -f /dev/null')}, resources: { pids: 20 } }
  nested: { image: busybox, command: ${NESTED}, privileged: true, resources: { pids: 50 } }
`;

if (problem !== null) describe('systemd', () => it.skip(`needs a guest: ${problem}`));
else {
  describe('systemd', () => {
    let guest: Guest;
    beforeAll(async () => {
      const script = ['scripts/package-deb.mjs'];
      const made = execFileSync(process.execPath, script, { cwd: CHECKOUT, encoding: 'utf8' }).trim();
      guest = await Guest.boot(resolve(CHECKOUT, made));
      await guest.ok('dpkg -i /opt/tsdocker/tsdocker.deb && mkdir -p /var/shared');
    }, 20 * MINUTES);
    afterAll(() => guest?.destroy());

    const drop = async (name: string, text: string): Promise<void> => {
      const encoded = Buffer.from(text).toString('base64');
      const file = `/etc/tsdocker/manifests/${name}`;
      await guest.ok(
        `echo ${encoded} | base64 -d >/run/manifest && cp /run/manifest ${file}.tmp && mv ${file}.tmp ${file}`,
      );
    };
    const container = async (name: string): Promise<ContainerView | undefined> => {
      const views = JSON.parse(await guest.ok('tsdocker get containers -o json')) as ContainerView[];
      return views.find((view) => view.name === name);
    };
    /** Every look costs a start of Node, which takes seconds there. */
    const waitFor = async (
      name: string,
      what: string,
      fits: (view: ContainerView) => boolean,
    ): Promise<ContainerView> => {
      const deadline = Date.now() + 10 * MINUTES;
      for (;;) {
        const view = await container(name);
        if (view !== undefined && fits(view)) return view;
        if (Date.now() < deadline) continue;
        const journal = await guest.run('journalctl -u tsdocker -n 60 --no-pager');
        throw new Error(`${name} never ${what}: ${JSON.stringify(view)}\n${journal.stdout}`);
      }
    };
    const isRunning = ({ phase, pid }: ContainerView): boolean => phase === 'Running' && pid !== null;
    const property = async (name: string): Promise<string> =>
      (await guest.ok(`systemctl show -P ${name} tsdocker.service`)).trim();
    const startTime = async (pid: number | null): Promise<string> =>
      (await guest.ok(`cut -d' ' -f22 /proc/${pid}/stat`)).trim();
    const cgroupFile = (pid: number | null, name: string): Promise<string> =>
      guest.ok(`cat "/sys/fs/cgroup$(cut -d: -f3 /proc/${pid}/cgroup)/${name}"`).then((text) => text.trim());

    it(
      'starts as Type=notify and reports its status',
      async () => {
        // The package has started it, and waited for READY=1.
        expect(await property('ActiveState')).toBe('active');
        expect(await property('UnitFileState')).toBe('enabled');
        await drop('linked.yaml', LINKED);
        expect(await property('Type')).toBe('notify');
        for (const name of ['front', 'middle', 'back']) await waitFor(name, 'runs', isRunning);
        expect(await property('StatusText')).toMatch(/^generation \d+, \d+ of \d+ containers running$/);
      },
      20 * MINUTES,
    );

    it(
      'limits containers by cgroup v2 below its own unit',
      async () => {
        await drop('limits.yaml', LIMITED);
        const { pid } = await waitFor('limited', 'runs', isRunning);
        expect(await guest.ok(`cat /proc/${pid}/cgroup`)).toMatch(/^0::\/system\.slice\/tsdocker\.service\//);
        // Its own group is all that it sees, and what is executed in it.
        const seen = 'cat /proc/self/cgroup; ls /sys/fs/cgroup/memory.max; mkdir /sys/fs/cgroup/x || echo refused';
        expect(await guest.ok(`tsdocker exec limited -- busybox sh -c '${seen}'`)).toBe(
          '0::/\n/sys/fs/cgroup/memory.max\nrefused\n',
        );
        expect(await cgroupFile(pid, 'memory.max')).toBe(String(64 * 1024 ** 2));
        expect(await cgroupFile(pid, 'cpu.max')).toBe('50000 100000');
        expect(await cgroupFile(pid, 'pids.max')).toBe('50');
        await waitFor('nested', 'runs', isRunning);
        expect(await guest.ok('tsdocker exec nested -- busybox cat /proc/self/cgroup')).toBe('0::/init\n');
        const greedy = await waitFor('greedy', 'is killed', ({ phase }) => phase === 'Exited');
        expect(greedy).toMatchObject({ exitCode: 137, message: expect.stringContaining('out of memory') });
        const bomb = await waitFor('bomb', 'runs', isRunning);
        await guest.until(
          'the bomb at its limit',
          `
          cd "/sys/fs/cgroup$(cut -d: -f3 /proc/${bomb.pid}/cgroup)"
          grep -q '^max [1-9]' pids.events && [ "$(cat pids.current)" -le 20 ]`,
        );
        await guest.ok('rm /etc/tsdocker/manifests/limits.yaml');
      },
      20 * MINUTES,
    );

    it(
      'keeps containers running when it is restarted, killed or stopped',
      async () => {
        const before = await waitFor('back', 'runs', isRunning);
        const started = await startTime(before.pid);
        await guest.ok('systemctl restart tsdocker.service');
        expect(await startTime(before.pid)).toBe(started);
        const replaced = await property('MainPID');
        await guest.ok('dpkg -i /opt/tsdocker/tsdocker.deb');
        expect(await property('MainPID')).not.toBe(replaced);
        expect(await startTime(before.pid)).toBe(started);

        const main = await property('MainPID');
        await guest.ok(`kill -9 ${main}`);
        await guest.until(
          'a new supervisor',
          `
          [ "$(systemctl show -P MainPID tsdocker.service)" != ${main} ] && systemctl is-active -q tsdocker.service`,
        );
        expect(await property('NRestarts')).toBe('1');
        expect(await startTime(before.pid)).toBe(started);
        expect(await waitFor('back', 'runs', isRunning)).toMatchObject({ id: before.id, pid: before.pid, restarts: 0 });

        await guest.ok('systemctl stop tsdocker.service tsdocker.socket');
        expect(await startTime(before.pid)).toBe(started);
        // The socket alone starts it again.
        await guest.ok('systemctl start tsdocker.socket');
        expect(await waitFor('back', 'runs', isRunning)).toMatchObject({ pid: before.pid, restarts: 0 });
        expect(await property('ActiveState')).toBe('active');
      },
      30 * MINUTES,
    );

    it(
      'stops them in reverse order of links and dependencies when the host goes down, and starts them in order at the next boot',
      async () => {
        await drop('others.yaml', OTHERS);
        const deaf = await waitFor('deaf', 'runs', isRunning);
        await waitFor('halted', 'runs', isRunning);
        await guest.ok('tsdocker stop halted');
        await waitFor('once', 'has ended', ({ phase }) => phase === 'Exited');
        const before = await waitFor('front', 'runs', isRunning);
        const boot = await guest.ok('cat /proc/sys/kernel/random/boot_id');
        await guest.reboot();
        expect(await guest.ok('cat /proc/sys/kernel/random/boot_id')).not.toBe(boot);
        expect(await guest.ok('cat /var/shared/order')).toBe('front\nmiddle\nback\n');
        await guest.until('the service', 'systemctl is-active -q tsdocker.service');
        const views = [];
        for (const name of ['back', 'middle', 'front']) views.push(await waitFor(name, 'runs again', isRunning));
        const times = views.map(({ startedAt }) => Date.parse(startedAt ?? ''));
        expect(times).toEqual([...times].sort((a, b) => a - b));
        expect(views[2]).toMatchObject({ id: before.id });
        expect(Date.parse(views[2]?.startedAt ?? '')).toBeGreaterThan(Date.parse(before.startedAt ?? ''));
        expect(await waitFor('deaf', 'runs again', isRunning)).toMatchObject({ id: deaf.id });
        expect(await guest.ok('tsdocker logs deaf')).toBe('begun\nbegun\n');
        expect(await container('halted')).toMatchObject({ phase: 'Exited', exitCode: 0, pid: null });
        expect(await container('once')).toMatchObject({ phase: 'Exited', exitCode: 3, restarts: 0 });
        expect(await guest.ok('tsdocker logs once')).toBe('done once\n');
      },
      30 * MINUTES,
    );

    it(
      'keeps containers and data when its package is removed or purged, reports it, and starts nothing',
      async () => {
        await drop('kept.yaml', KEPT);
        const kept = await waitFor('kept', 'runs', isRunning);
        const started = await startTime(kept.pid);
        const views = JSON.parse(await guest.ok('tsdocker get containers -o json')) as ContainerView[];
        const told = [
          `tsdocker: containers go on without a supervisor (${views.filter(isRunning).length}), and nothing restarts them; their data stays in /var/lib/tsdocker.`,
          'tsdocker: To end them, install the package again and run: tsdocker host-shutdown --now, or tsdocker system reset',
        ];
        const starts = () =>
          guest.run('journalctl --sync; journalctl -b -u tsdocker.service -o cat | grep -c ^Starting');
        const isGone = async () => {
          const units = await guest.run('systemctl is-active tsdocker.service tsdocker.socket; pgrep -x node');
          expect(units.stdout).toBe('inactive\ninactive\n');
          expect((await guest.run('command -v tsdocker')).stdout).toBe('');
          expect(await startTime(kept.pid)).toBe(started);
          await guest.ok('test -e /var/lib/tsdocker/history.db && test -e /etc/tsdocker/manifests/kept.yaml');
        };

        // The socket still listens: whoever asks there has a supervisor started.
        await guest.ok('systemctl stop tsdocker.service && systemctl is-active tsdocker.socket');
        const before = await starts();
        const removed = await guest.run('dpkg --remove tsdocker');
        expect(removed).toMatchObject({ status: 0, stderr: told.map((line) => `${line}\n`).join('') });
        expect(await starts()).toEqual(before);
        await isGone();

        await guest.ok('dpkg -i /opt/tsdocker/tsdocker.deb');
        expect(await property('UnitFileState')).toBe('enabled');
        expect(await waitFor('kept', 'runs', isRunning)).toMatchObject({ id: kept.id, pid: kept.pid, restarts: 0 });

        const purged = await guest.run('dpkg --purge tsdocker');
        const left = [
          ...told,
          'tsdocker: images, volumes and containers are left in /var/lib/tsdocker; delete it when they are not needed.',
          'tsdocker: With the package installed, `tsdocker system reset` takes them away, and volumes only with --volumes.',
          "dpkg: warning: while removing tsdocker, directory '/etc/tsdocker/manifests' not empty so not removed",
        ];
        expect(purged).toMatchObject({ status: 0, stderr: left.map((line) => `${line}\n`).join('') });
        await isGone();
        expect(await guest.ok('find /etc/systemd /var/lib/systemd -name "*tsdocker*"')).toBe('');
      },
      30 * MINUTES,
    );
  });
}
