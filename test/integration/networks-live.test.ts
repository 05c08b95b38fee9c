/** Several networks of one container, attached, changed and detached while it runs. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { EndpointView } from '../../src/api/views/resource-views.ts';
import { BUSYBOX_IMAGE, FOREVER, IDLE, shell } from '../support/manifests.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  await supervisor.destroy();
});

/** A subnet that only this supervisor uses. */
const subnet = (last: number): string => `${supervisor.subnet.replace('10.232.', '10.233.')}.${last}`;

const inside = (name: string, script: string): Promise<string> =>
  supervisor.ok('exec', name, '--', 'busybox', 'sh', '-c', script);

const endpoints = async (name: string): Promise<readonly EndpointView[]> =>
  (await supervisor.container(name))?.endpoints ?? [];

const names = async (name: string): Promise<Record<string, string>> =>
  Object.fromEntries((await endpoints(name)).map((one) => [one.network.replace('app/', ''), one.interface]));

/** Names of the interfaces that a container has in its kernel, without loopback. */
const links = async (name: string): Promise<string[]> =>
  (await inside(name, 'ls /sys/class/net')).split(/\s+/).filter((one) => one !== '' && one !== 'lo');

interface Written {
  readonly networks?: string;
  readonly web: string;
  readonly others?: string;
}

function declare({ networks = 'back: {}, front: {}, ops: {}', web, others = '' }: Written): void {
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}networks: { ${networks} }
containers:
  web: { image: busybox, ${web.includes('command:') ? '' : `command: ${FOREVER},`} stopTimeout: 1s, ${web} }
${others}`,
  );
}

const ready = (name = 'web') => supervisor.waitFor(name, 'ready', (view) => view.ready);

/** Waits until a change is taken over, and proves that the container runs on. */
async function changed(pid: number | null, check: (found: readonly EndpointView[]) => boolean): Promise<void> {
  await supervisor.waitFor('web', 'changed', (view) => check(view.endpoints ?? []));
  await until('nothing to do', async () => (await supervisor.ok('plan', '-o', 'json')).includes('"ops": []'));
  expect((await supervisor.container('web'))?.pid).toBe(pid);
}

describe('a running container', () => {
  test('joins and leaves a network while a connection on another one goes on', async () => {
    const server = `server: { image: busybox, command: ${shell(`busybox nc -l -p 9000 -e busybox sh -c 'while :; do echo tick; sleep 0.05; done'; ${IDLE}`)}, network: back, stopTimeout: 1s }`;
    const dropped = (web: string) =>
      supervisor.drop(
        'app.yaml',
        `${BUSYBOX_IMAGE}networks: { back: {}, front: {} }
containers:
  ${server}
  web: { image: busybox, stopTimeout: 1s, dependsOn: [server], ${web} }
`,
      );
    const command = `command: ${shell(`until busybox nc server 9000; do sleep 0.1; done & ${IDLE}`)}`;
    dropped(`network: back, ${command}`);
    const { pid } = await ready();
    const ticks = async () => (await supervisor.cli('logs', 'web')).stdout.split('\n').length;
    const flows = async () => {
      const before = await ticks();
      await until('more of the same connection', async () => (await ticks()) > before + 3);
    };
    await flows();
    dropped(`networks: [back, front], ${command}`);
    await changed(pid, (found) => found.length === 2);
    await flows();
    expect(await links('web')).toEqual(['eth0', 'eth1']);
    const [, front] = await endpoints('web');
    const address = front?.ipv4?.split('/')[0] ?? '';
    expect(await inside('web', 'cat /etc/hosts')).toContain(`${address}\t`);
    dropped(`network: back, ${command}`);
    await changed(pid, (found) => found.length === 1);
    await flows();
    expect(await links('web')).toEqual(['eth0']);
    expect(await inside('web', 'cat /etc/hosts')).not.toContain(`${address}\t`);
  });

  test('is moved to another network, to none, and back', async () => {
    declare({ web: 'network: back' });
    const { pid } = await ready();
    declare({ web: 'network: front' });
    await changed(pid, ([one]) => one?.network === 'app/front');
    declare({ web: 'network: none' });
    await changed(pid, (found) => found.length === 0);
    expect(await links('web')).toEqual([]);
    declare({ web: 'networks: [back, front]' });
    await changed(pid, (found) => found.length === 2);
    expect(await links('web')).toEqual(['eth0', 'eth1']);
  });

  test('gets another address, MAC and interface name', async () => {
    const networks = `back: { subnet: ${subnet(0)}/26, ipv6: false }, front: {}`;
    declare({ networks, web: `networks: { back: { ipv4: ${subnet(5)} } }` });
    const { pid } = await ready();
    declare({ networks, web: `networks: { back: { ipv4: ${subnet(6)}, mac: "02:42:00:00:00:09" } }` });
    await changed(pid, ([one]) => one?.ipv4 === `${subnet(6)}/26`);
    const shown = await inside('web', 'busybox ip addr show eth0');
    expect(shown).toContain(`inet ${subnet(6)}/26`);
    expect(shown).not.toContain(`inet ${subnet(5)}/`);
    expect(shown).toContain('02:42:00:00:00:09');
    declare({ networks, web: `networks: { back: { ipv4: ${subnet(6)}, interfaceName: up0 } }` });
    await changed(pid, ([one]) => one?.interface === 'up0');
    expect(await links('web')).toEqual(['up0']);
    await supervisor.ok('restart', 'web');
    await ready();
    expect((await endpoints('web'))[0]).toMatchObject({ interface: 'up0', ipv4: `${subnet(6)}/26` });
  });

  test('keeps its published ports, through the network with the highest gateway priority', async () => {
    const port = await freePort();
    const web = (networks: string) =>
      `ports: ["${port}:80"], networks: ${networks}, command: ${shell(`mkdir -p /www; echo hello > /www/index.html; busybox httpd -p 80 -h /www; ${IDLE}`)}`;
    declare({ web: web('[back, front]') });
    const { pid } = await ready();
    const get = async () => (await fetch(`http://127.0.0.1:${port}/`)).text();
    const route = () => inside('web', 'busybox ip route get 192.0.2.1');
    expect(await until('an answer', get)).toBe('hello\n');
    expect(await route()).toContain('dev eth0');
    declare({ web: web('{ back: {}, front: { gatewayPriority: 1 } }') });
    await changed(pid, (found) => found.some(({ network, gateway4 }) => network === 'app/front' && gateway4 !== null));
    expect(await route()).toContain('dev eth1');
    expect(await until('an answer', get)).toBe('hello\n');
  });
});

test('interfaces keep their names through restarts and a restart of the supervisor', async () => {
  declare({ web: 'networks: [ops, back]' });
  await ready();
  expect(await names('web')).toEqual({ back: 'eth0', ops: 'eth1' });
  declare({ web: 'networks: [ops, front, back]' });
  await until('three networks', async () => (await endpoints('web')).length === 3);
  const all = { back: 'eth0', ops: 'eth1', front: 'eth2' };
  expect(await names('web')).toEqual(all);
  for (let round = 0; round < 8; round++) {
    await supervisor.ok('restart', 'web');
    await ready();
    expect(await names('web')).toEqual(all);
  }
  await supervisor.ok('stop', 'web');
  await supervisor.ok('start', 'web');
  await ready();
  expect(await names('web')).toEqual(all);
  await supervisor.crash();
  await supervisor.start();
  await ready();
  expect(await names('web')).toEqual(all);
  expect(await supervisor.ok('plan', '-o', 'json')).toContain('"ops": []');
});

test('an internal network leads nowhere, and what is on another one too leaves by that', async () => {
  declare({
    networks: 'back: { internal: true }, front: {}',
    web: 'networks: { back: { gatewayPriority: 9 }, front: {} }',
    others: `  inner: { image: busybox, command: ${FOREVER}, network: back, stopTimeout: 1s }\n`,
  });
  await ready();
  await ready('inner');
  expect(await inside('web', 'busybox ip route')).toMatch(/^default via \S+ dev eth1/m);
  expect(await inside('inner', 'busybox ip route')).not.toContain('default');
});

test('two networks of one container are refused one interface name, at its line', async () => {
  const file = supervisor.file(
    'bad.yaml',
    `${BUSYBOX_IMAGE}networks: { back: {}, front: {} }
containers:
  web:
    image: busybox
    networks:
      back: { interfaceName: up0 }
      front: { interfaceName: up0 }
`,
  );
  const { status, stderr, stdout } = await supervisor.cli('validate', '-f', file);
  expect(status).not.toBe(0);
  expect(stdout + stderr).toMatch(/bad\.yaml:9:\d+.*another network has the interface up0/s);
});

test('an alias is a name on its network, and goes with it', async () => {
  const asker = `  asker: { image: busybox, command: ${FOREVER}, network: back, stopTimeout: 1s }\n`;
  declare({ web: 'networks: { back: { aliases: [db] }, front: {} }', others: asker });
  await ready();
  await ready('asker');
  const lookup = () => supervisor.cli('exec', 'asker', '--', 'busybox', 'ping', '-c', '1', '-W', '2', 'db');
  await until('the alias', async () => (await lookup()).status === 0);
  declare({ web: 'network: front', others: asker });
  await until('no alias any more', async () => (await lookup()).status !== 0);
});

test('an interface, an address or a route that someone takes away is put back while the container runs', async () => {
  declare({ web: 'networks: [back, front]' });
  const { pid } = await ready();
  const state = async () =>
    await inside('web', 'busybox ip -4 -o addr | sed "s/^[0-9]*: //" | sort; busybox ip route | sort');
  const before = await state();
  const nsenter = (script: string) => execFileSync('nsenter', ['-t', String(pid), '-n', 'sh', '-c', script]);
  for (const harm of ['ip link del eth1', 'ip addr flush dev eth1', 'ip route del default']) {
    nsenter(harm);
    await until(`${harm} mended`, async () => {
      const now = await state();
      if (now !== before) throw new Error(`${before}\n---\n${now}`);
      return true;
    });
  }
  expect((await supervisor.container('web'))?.pid).toBe(pid);
});

test('kill -9 while networks are changed leaves nothing behind, and the declared ones', async () => {
  declare({ web: 'network: back' });
  const { pid } = await ready();
  const forms = ['networks: [back, front, ops]', 'network: ops', 'networks: [front, back]', 'network: back'];
  for (let round = 0; round < 12; round++) {
    declare({ web: forms[round % forms.length] ?? '' });
    await until('the change being known', async () => (await supervisor.cli('get', 'manifests')).status === 0);
    await supervisor.crash();
    await supervisor.start();
  }
  await until('nothing to do', async () => (await supervisor.ok('plan', '-o', 'json')).includes('"ops": []'));
  expect((await supervisor.container('web'))?.pid).toBe(pid);
  expect(await links('web')).toEqual(['eth0']);
});

test('a container in the namespace of another one follows it when that is made again', async () => {
  const side = `  side: { image: busybox, command: ${FOREVER}, network: "container:web", stopTimeout: 1s }\n`;
  declare({ web: 'networks: [back, front], labels: { v: "1" }', others: side });
  const { pid } = await ready();
  await ready('side');
  // While it is there no other namespace gets its number.
  const held = openSync(`/proc/${pid}/ns/net`, 'r');
  onTestFinished(() => closeSync(held));
  const namespace = (name: string) => inside(name, 'readlink /proc/self/ns/net');
  const before = await namespace('web');
  expect(await namespace('side')).toBe(before);
  declare({ web: 'networks: [back, front], readOnly: true', others: side });
  await until('another namespace of both', async () => {
    const [own, theirs] = [await namespace('web'), await namespace('side')];
    return own !== before && own === theirs;
  });
});
