/** Lookups in containers while files are renamed and filesystems mounted all over the host without a pause. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SupervisorClient } from '../../src/api/client.ts';
import { BusyHost } from '../support/busy-host.ts';
import { findBusybox } from '../support/images.ts';
import { FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;
let client: SupervisorClient;
let host: BusyHost | null;

beforeEach(async () => {
  supervisor = await new TestSupervisor(['--metrics', '127.0.0.1:0']).start();
  client = new SupervisorClient(supervisor.socket);
  host = null;
});

afterEach(async () => {
  await host?.rest();
  await supervisor.destroy();
});

/** A way down and up again, as often: each `..` is one chance for a race. */
const detour = (turns: number): string => 'many/../'.repeat(turns);
const TURNS = 2;

/** A root filesystem in which everything that is looked up lies behind a link with `..` in it. */
function makeRootfs(): string {
  const rootfs = join(supervisor.base, 'rootfs');
  for (const name of ['bin', 'etc', 'many', 'opt/data', 'opt/conf', 'opt/work']) {
    mkdirSync(join(rootfs, name), { recursive: true });
  }
  copyFileSync(findBusybox() ?? '', join(rootfs, 'opt/busybox'));
  chmodSync(join(rootfs, 'opt/busybox'), 0o755);
  writeFileSync(join(rootfs, 'opt/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n');
  writeFileSync(join(rootfs, 'opt/group'), 'root:x:0:\nweb:x:1000:\n');
  writeFileSync(join(rootfs, 'opt/data/seed'), 'from the image');
  symlinkSync(`../${detour(TURNS)}opt/busybox`, join(rootfs, 'bin/busybox'));
  for (const name of ['passwd', 'group']) symlinkSync(`../${detour(TURNS)}opt/${name}`, join(rootfs, 'etc', name));
  for (const name of ['data', 'conf', 'work']) symlinkSync(`${detour(TURNS)}opt/${name}`, join(rootfs, name));
  return rootfs;
}

/** Exit code and output of a program in a container. */
async function run(container: string, script: string): Promise<{ readonly code: number; readonly output: string }> {
  const session = await client.exec(container, {
    argv: ['busybox', 'sh', '-c', script],
    env: [],
    cwd: '/work',
    user: 'web',
    tty: false,
    stdin: false,
  });
  const [code, out, err] = await Promise.all([session.exited, text(session.stdout), text(session.stderr)]);
  return { code, output: out + err };
}

async function output(container: string, script: string): Promise<string> {
  const { code, output: found } = await run(container, script);
  if (code !== 0) throw new Error(`${script} in ${container} exited ${code}: ${found}`);
  return found;
}

/** Lookups of the supervisor and its shims that the kernel answered with EAGAIN. */
async function races(result: 'retried' | 'given-up'): Promise<number> {
  const ready = supervisor.log.split('\n').find((entry) => entry.includes('"msg":"ready"')) ?? '{}';
  const body = await (await fetch((JSON.parse(ready) as { metrics: string }).metrics)).text();
  const line = body
    .split('\n')
    .find((entry) => entry.startsWith(`tsdocker_races_total{call="openat2",result="${result}"}`));
  return Number(line?.split(' ')[1] ?? 0);
}

/** So many of one kind of work, one after the other. */
async function times(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  for (let index = 0; index < count; index++) await work(index);
}

const EXECS = 300;
const PROBES = 100;
const STARTS = 40;
const COPIES = 20;
const EXPORTS = 20;
const RENEWALS = 20;

test('500 execs, probes, starts, copy-ups, exports and bind renewals survive more than 100 races', async () => {
  const conf = supervisor.file('app.conf', 'version 0');
  // One failure would be seen: it restarts.
  const probe = `{ exec: [busybox, sh, -c, "echo . >> /probes/tried"], interval: 100ms, startPeriod: 0s, retries: 1 }`;
  const common = `image: own, workingDir: /work, user: root, stopTimeout: 100ms, command: ${FOREVER}`;
  const copies = Array.from({ length: COPIES }, (_, index) => `copy${index}`);
  const image = `images: { own: { rootfs: ${makeRootfs()} } }\n`;
  const manifest = (
    names: readonly string[],
  ): string => `${image}volumes: { ${names.map((name) => `${name}: {}`).join(', ')} }
containers:
  web: { ${common}, volumes: [/probes], health: { liveness: ${probe}, readiness: ${probe} } }
  bound: { ${common}, volumes: [{ source: ${conf}, target: /conf/app.conf, readOnly: true, onChange: "signal:WINCH" }] }
  again: { ${common} }
${names.map((name) => `  ${name}: { ${common}, volumes: ["${name}:/data"] }\n`).join('')}`;
  supervisor.drop('app.yaml', manifest([]));
  const web = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  for (const name of ['bound', 'again']) await supervisor.waitFor(name, 'ready', ({ ready }) => ready);

  host = new BusyHost(join(supervisor.base, 'busy'));
  const probed = async () => (await output('web', 'wc -l < /probes/tried')).trim();
  const before = Number(await probed());
  const renewals = times(RENEWALS, async (index) => {
    writeFileSync(`${conf}.new`, `version ${index + 1}`);
    renameSync(`${conf}.new`, conf);
    await until('the new file', async () => (await output('bound', 'cat /conf/app.conf')) === `version ${index + 1}`);
  });
  const filled = (async () => {
    supervisor.drop('app.yaml', manifest(copies));
    for (const name of copies) {
      await until(`${name} is up`, async () =>
        (await client.list('containers')).some((one) => one.name === name && one.ready),
      );
      expect(await output(name, 'cat /data/seed')).toBe('from the image');
    }
  })();
  await Promise.all([
    renewals,
    filled,
    times(EXECS, () => output('web', 'exit 0')),
    times(STARTS, () => client.restart('again', null)),
    times(EXPORTS, async () => {
      for await (const event of client.imageFiles.export('web', join(supervisor.base, 'export.tar'))) {
        expect(event).not.toMatchObject({ type: 'error' });
      }
    }),
  ]);
  await until('as many probes', async () => Number(await probed()) - before >= PROBES);
  await until('more races', async () => {
    await output('web', 'exit 0');
    return (await races('retried')) > 100;
  });
  expect(host.isBusy).toBe(true);
  expect(existsSync(join(supervisor.base, 'export.tar'))).toBe(true);
  expect(await races('given-up')).toBe(0);
  const after = await supervisor.container('web');
  expect(after).toMatchObject({ pid: web.pid, restarts: 0, ready: true });
  expect(after?.health?.results.filter(({ ok }) => !ok)).toEqual([]);
  expect((await supervisor.containers()).filter(({ phase }) => phase !== 'Running')).toEqual([]);
  // Errors of the supervisor, with failed operations and probes that could not be tried.
  const troubles = supervisor.log.split('\n').filter((line) => /"level":[56]0|TSD_LOOKUP|looked up/.test(line));
  expect(troubles).toEqual([]);
});

test('a lookup that always races is reported as such, fails no probe, and succeeds later', async () => {
  const rootfs = makeRootfs();
  // Milliseconds on the way, in which nothing may be renamed anywhere.
  const links = 38;
  for (let link = 0; link < links; link++) {
    symlinkSync(`${detour(480)}${link + 1 === links ? 'opt' : `far${link + 1}`}`, join(rootfs, `far${link}`));
  }
  const probe = `{ exec: [/far0/busybox, "true"], interval: 100ms, startPeriod: 0s, retries: 1 }`;
  supervisor.drop(
    'app.yaml',
    `images: { own: { rootfs: ${rootfs} } }
containers:
  web: { image: own, restart: always, command: ${FOREVER}, health: { liveness: ${probe} } }
`,
  );
  const web = await supervisor.waitFor('web', 'healthy', ({ health }) => health?.results.some(({ ok }) => ok) === true);
  host = new BusyHost(join(supervisor.base, 'busy'));
  const answer = await until('an exec that is given up', async () => {
    const { status, stderr } = await supervisor.cli('exec', 'web', '/far0/busybox', 'true');
    return status !== 0 && stderr;
  });
  expect(answer).toContain('it could not be looked up, which does not mean that it is not there');
  expect(answer).not.toContain('is not in the image');
  const untried = () =>
    supervisor.log.split('\n').filter((line) => line.includes('health: ') && line.includes('looked up'));
  await until('probes that could not be tried', () => untried().length > 3);
  expect(await supervisor.container('web')).toMatchObject({ pid: web.pid, restarts: 0 });
  expect((await supervisor.container('web'))?.health?.results.filter(({ ok }) => !ok)).toEqual([]);
  await host.rest();
  // Others on this host may rename files, too.
  await until('a lookup', async () => (await supervisor.cli('exec', 'web', '/far0/busybox', 'true')).status === 0);
  expect(readFileSync(`/proc/${web.pid}/comm`, 'utf8')).toContain('busybox');
});
