/** Limits of containers of manifests, changed through the Docker API where the daemon allows it. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { docker } from '../support/docker-client.ts';
import { TestSupervisor } from '../support/supervisor.ts';

let supervisor: TestSupervisor;

const manifest = (pids: number) =>
  `app: shop\nimages: { busybox: { host: [busybox, sh] } }\ncontainers:\n  web: { image: busybox, command: [busybox, sleep, "100000"], stopSignal: SIGKILL, resources: { pids: ${pids} } }\n`;

beforeAll(async () => {
  supervisor = await new TestSupervisor(['--api-override=allow']).start();
  supervisor.drop('shop.yaml', manifest(70));
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
});

afterAll(async () => {
  await supervisor.destroy();
});

/** As the kernel has it. */
async function pidsLimit(): Promise<string> {
  const id = (await supervisor.container('web'))?.id ?? '';
  const found = execFileSync('find', ['/sys/fs/cgroup', '-path', `*${id}*`, '-name', 'pids.max'], { encoding: 'utf8' });
  return readFileSync(found.split('\n')[0] ?? '', 'utf8').trim();
}

const overrides = async () =>
  ((await supervisor.container('web'))?.conditions ?? []).filter(({ type }) => type === 'Overridden');

test('an override holds over a restart of the supervisor, is shown, and ends by command or with the entry', async () => {
  const run = (await supervisor.container('web'))?.pid;
  const client = (...args: string[]) => docker(supervisor.socket, args);
  expect(await client('update', '--pids-limit', '55', 'shop-web')).toMatchObject({ status: 0, stdout: 'shop-web\n' });
  expect(await pidsLimit()).toBe('55');
  expect((await client('inspect', 'shop-web', '--format', '{{.HostConfig.PidsLimit}}')).stdout).toBe('55\n');
  await supervisor.crash();
  await supervisor.start();
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  expect(await overrides()).toMatchObject([
    {
      reason: 'ChangedByClient',
      message: expect.stringMatching(/Docker-Client.*asked for at .*--as-declared shop\/web/),
    },
  ]);
  expect(await supervisor.ok('describe', 'web')).toContain('Overridden');
  expect(await supervisor.ok('plan')).not.toContain('container.update');
  expect(await pidsLimit()).toBe('55');
  // A second one is about the same entry.
  expect(await client('update', '--pids-limit', '44', 'shop-web')).toMatchObject({ status: 0 });
  expect(await supervisor.ok('update', '--as-declared', 'shop-web')).toBe('shop-web\n');
  expect([await pidsLimit(), await overrides()]).toEqual(['70', []]);
  expect(await client('update', '--pids-limit', '33', 'shop-web')).toMatchObject({ status: 0 });
  const file = supervisor.drop('shop.yaml', manifest(71));
  await expect.poll(pidsLimit).toBe('71');
  expect(await overrides()).toEqual([]);
  // An entry as it once was is another declaration: what was asked for is over.
  supervisor.drop('shop.yaml', manifest(70));
  await expect.poll(pidsLimit).toBe('70');
  expect((await supervisor.container('web'))?.pid).toBe(run);
  // So is one that is written again after its removal.
  expect(await client('update', '--pids-limit', '22', 'shop-web')).toMatchObject({ status: 0 });
  rmSync(file);
  supervisor.drop('other.yaml', 'app: other\n');
  await supervisor.ok('approve', '--yes');
  await expect.poll(() => supervisor.container('web')).toBeUndefined();
  supervisor.drop('shop.yaml', manifest(70));
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  expect(await pidsLimit()).toBe('70');
});

test('what cannot be overridden says what to do', async () => {
  for (const [args, hint] of [
    [['rm', '-f', 'shop-web'], 'take it out of the manifest'],
    [['rename', 'shop-web', 'other'], 'name is in the manifest'],
  ] as const)
    expect(await docker(supervisor.socket, args)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(hint),
    });
  expect(await supervisor.container('web')).toMatchObject({ engineName: 'shop-web', phase: 'Running' });
});
