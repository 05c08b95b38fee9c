import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ContainerView, NetworkView } from '../../src/api/views/resource-views.ts';
import { BUSYBOX_IMAGE, FOREVER, IDLE, shell } from '../support/manifests.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const supervisor = new TestSupervisor();

beforeAll(async () => {
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.destroy();
});

interface Table {
  readonly family: string;
  readonly name: string;
}

const allTables = (): Table[] =>
  JSON.parse(execFileSync('nft', ['-j', 'list', 'tables'], { encoding: 'utf8' })).nftables.flatMap(
    ({ table }: { table?: Table }) => table ?? [],
  );

const tables = (): Table[] => allTables().filter(({ name }) => name.startsWith(`tsd-${supervisor.instance}`));

/** All rules of the host but those of supervisors beside. */
function rules(): string {
  const own = new Set(tables().map(({ name }) => name));
  return allTables()
    .filter(({ name }) => !name.startsWith('tsd-') || own.has(name))
    .map(({ family, name }) => execFileSync('nft', ['list', 'table', family, name], { encoding: 'utf8' }))
    .join('\n');
}

test('manually removed objects are restored without a restart', async () => {
  const port = await freePort();
  const web = shell(`mkdir -p /www; echo up > /www/index.html; busybox httpd -p 80 -h /www; ${IDLE}`);
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}networks: { back: {} }
containers:
  web: { image: busybox, command: ${web}, ports: ["${port}:80"] }
  inner: { image: busybox, command: ${FOREVER}, network: back }
`,
  );
  const before = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const inner = await supervisor.waitFor('inner', 'ready', ({ ready }) => ready);
  const answer = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(1000) });
    return (await response.text()) === 'up\n';
  };
  await until('an answer', answer);
  const veth = () => readdirSync('/sys/class/net').filter((name) => name.startsWith(`v${supervisor.instance}`));

  for (const name of veth()) execFileSync('ip', ['link', 'delete', name]);
  for (const { family, name } of tables()) execFileSync('nft', ['delete', 'table', family, name]);
  await until('veths and rules back', () => veth().length === 2 && tables().length > 0);
  await until('an answer again', answer);

  execFileSync('ip', ['link', 'delete', supervisor.bridge]);
  await until('an answer after the bridge was deleted', answer);

  expect(await supervisor.container('web')).toMatchObject({ pid: before.pid, restarts: 0, address: before.address });
  expect(await supervisor.container('inner')).toMatchObject({ pid: inner.pid, restarts: 0, address: inner.address });
});

test('a removed manifest removes only its containers, networks and rules', async () => {
  const port = await freePort();
  const before = supervisor.hostState();
  const pids = (await supervisor.containers()).map(({ name, pid }) => `${name} ${pid}`);
  const rulesBefore = rules();
  const file = supervisor.drop(
    'more.yaml',
    `${BUSYBOX_IMAGE}networks: { extra: {} }
volumes: { data: {} }
containers:
  one: { image: busybox, command: ${FOREVER}, network: extra, ports: ["${port}:80"], volumes: ["data:/data"] }
  two: { image: busybox, command: ${FOREVER}, network: extra, links: [one] }
`,
  );
  for (const name of ['one', 'two']) await supervisor.waitFor(name, 'ready', ({ ready }) => ready);
  const volume = JSON.parse(await supervisor.ok('get', 'volumes', '-o', 'json')).find(
    ({ name }: { name: string }) => name === 'data',
  );
  rmSync(file);
  await until('containers removed', async () => (await supervisor.containers()).length === pids.length);
  await until('network removed', async () => !(await supervisor.ok('get', 'networks')).includes('extra'));
  expect((await supervisor.containers()).map(({ name, pid }) => `${name} ${pid}`)).toEqual(pids);
  expect(supervisor.hostState()).toEqual(before);
  expect(rules()).toBe(rulesBefore);
  expect(existsSync(volume.path)).toBe(true);
  expect(readdirSync(join(supervisor.root, 'containers'))).toHaveLength(pids.length);
});

test('drift that cannot be repaired is reported with a hint while it lasts', async () => {
  // Its own: while its bridge is gone, a supervisor beside may take a subnet that was chosen.
  const subnet = `10.236.${process.pid % 250}.0/24`;
  const manifest = (drift: string) => `${BUSYBOX_IMAGE}networks: { left: { drift: ${drift}, subnet: ${subnet} } }
containers: { lone: { image: busybox, command: ${FOREVER}, network: left, restart: always } }
`;
  const file = supervisor.drop('left.yaml', manifest('report'));
  const before = await supervisor.waitFor('lone', 'ready', ({ ready }) => ready);
  const network = async () => {
    const networks = JSON.parse(await supervisor.ok('get', 'networks', '-o', 'json')) as NetworkView[];
    return networks.find(({ name }) => name === 'left');
  };
  execFileSync('ip', ['link', 'delete', (await network())?.bridge ?? '']);
  const wayOut = `Set \`drift: heal\` for left/left in ${file}: it is put back then.`;
  const isReported = (view: ContainerView) =>
    view.message.includes('cannot be repaired: bridge or rules of network/left/left missing') && view.hint === wayOut;
  const view = await supervisor.waitFor('lone', 'the report', isReported);
  const type = 'Drifted';
  expect(view.conditions).toContainEqual(
    expect.objectContaining({ type, reason: 'CannotBeMended', message: view.message }),
  );
  expect(await network()).toMatchObject({
    hint: wayOut,
    conditions: expect.arrayContaining([expect.objectContaining({ type })]),
  });
  for (const command of ['describe', 'why']) expect(await supervisor.ok(command, 'lone')).toContain(wayOut);
  supervisor.drop('left.yaml', manifest('heal'));
  await supervisor.waitFor(
    'lone',
    'mended',
    ({ message, conditions }) => message === '' && !conditions.some((one) => one.type === type),
  );
  expect(await network()).toMatchObject({ hint: '', message: '' });
  expect(await supervisor.container('lone')).toMatchObject({ pid: before.pid, restarts: 0 });
});
