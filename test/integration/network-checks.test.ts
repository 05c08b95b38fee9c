/** What people expect of networks and found wanting elsewhere, through a whole supervisor. */
import { expect, onTestFinished, test } from 'vitest';
import type { NetworkView } from '../../src/api/views/resource-views.ts';
import { hasIpv6 } from '../../src/drivers/network/bridge/link-local.ts';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

async function supervise(...flags: string[]): Promise<TestSupervisor> {
  const supervisor = new TestSupervisor(flags);
  onTestFinished(() => supervisor.destroy());
  return await supervisor.start();
}

/** Containers of an app `app`, each with the rest of its line. */
function app(networks: string, containers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(containers).map(([name, rest]) => {
    const command = rest.includes('command:') ? '' : `command: ${FOREVER}, `;
    return `  ${name}: { image: busybox, ${command}stopTimeout: 1s, ${rest} }\n`;
  });
  return `${BUSYBOX_IMAGE}networks: { ${networks} }\ncontainers:\n${lines.join('')}`;
}

const isReady = ({ ready }: { readonly ready: boolean }): boolean => ready;

const isDone = (supervisor: TestSupervisor) =>
  until('nothing to do', async () => (await supervisor.ok('plan', '-o', 'json')).includes('"ops": []'));

const networks = async (supervisor: TestSupervisor): Promise<NetworkView[]> =>
  JSON.parse(await supervisor.ok('get', 'networks', '-o', 'json')) as NetworkView[];

test('the default route of each family is by the network with the highest priority that has it', async () => {
  const supervisor = await supervise();
  const declare = (...more: string[]) =>
    supervisor.drop(
      'app.yaml',
      app('a: { ipv6: false }, b: { ipv6: false }, c: {}, inner: { internal: true }', {
        web: `networks: { a: {}, b: { gatewayPriority: 1 }, ${[...more, 'inner: { gatewayPriority: 9 }'].join(', ')} }`,
      }),
    );
  declare();
  const { pid } = await supervisor.waitFor('web', 'ready', isReady);
  const inside = (script: string) => supervisor.ok('exec', 'web', '--', 'busybox', 'sh', '-c', script);
  const link = async (network: string) => {
    const view = await supervisor.container('web');
    return view?.endpoints?.find((one) => one.network === `app/${network}`)?.interface ?? 'none';
  };
  const leadsBy = async (network: string) =>
    (await inside('busybox ip route get 192.0.2.1')).includes(`dev ${await link(network)} `);
  const leads6 = async () => (await inside('busybox ip -6 route show default')).trim();
  expect(await leadsBy('b')).toBe(true);
  expect(await leads6()).toBe('');
  declare('c: {}');
  await until('another network', async () => (await link('c')) !== 'none');
  await isDone(supervisor);
  expect(await leadsBy('b')).toBe(true);
  if (hasIpv6()) expect(await leads6()).toContain(`dev ${await link('c')}`);
  declare('c: { gatewayPriority: 2 }');
  await until('another default route', () => leadsBy('c'));
  await isDone(supervisor);
  expect((await supervisor.container('web'))?.pid).toBe(pid);
});

test('fixed addresses and MACs are the same after restarts, and no other container gets them', async () => {
  const supervisor = await supervise();
  const at = (last: number) => `${supervisor.subnet.replace('10.232.', '10.233.')}.${last}`;
  const own = 'networks: { back: { ipv4: ADDRESS, ipv6: "fd00:233::5", mac: "02:42:00:00:00:05" } }';
  const fixed = own.replace('ADDRESS', at(2));
  const back = `back: { subnet: ${at(0)}/24, subnet6: "fd00:233::/64" }`;
  // The first address that would be given out is another one's, though that is not up.
  supervisor.drop('app.yaml', app(back, { other: 'networks: [back]', web: `${fixed}, dependsOn: [other]` }));
  await supervisor.waitFor('other', 'ready', isReady);
  const place = async () => {
    const { endpoints = [] } = await supervisor.waitFor('web', 'ready', isReady);
    return endpoints.map(({ ipv4, ipv6, mac }) => ({ ipv4, ipv6, mac }));
  };
  const expected = [{ ipv4: `${at(2)}/24`, ipv6: 'fd00:233::5/64', mac: '02:42:00:00:00:05' }];
  const seen = () => supervisor.ok('exec', 'web', '--', 'busybox', 'ip', 'addr', 'show', 'eth0');
  for (const change of ['', 'restart', 'crash']) {
    if (change === 'restart') await supervisor.ok('restart', 'web');
    if (change === 'crash') {
      await supervisor.crash();
      await supervisor.start();
    }
    expect(await place()).toEqual(expected);
    for (const part of [`${at(2)}/24`, 'fd00:233::5/64', '02:42:00:00:00:05']) expect(await seen()).toContain(part);
  }
  expect((await supervisor.container('other'))?.address).toBe(at(3));
  const twice = supervisor.file('twice.yaml', app('', { thief: fixed.replace('back:', 'app/back:') }));
  const { status, stderr } = await supervisor.cli('apply', '-f', twice);
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/twice\.yaml:\d+:\d+: the address \S+ is also claimed by container\/app\/web at .*app\.yaml/);
  // What another one has been given is refused when it is asked for.
  const taken = supervisor.file('taken.yaml', app('', { thief: `networks: { app/back: { ipv4: ${at(3)} } }` }));
  const refused = await supervisor.cli('apply', '--wait=5s', '-f', taken);
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toMatch(
    /taken\.yaml:\d+:\d+: ip already allocated: another container has \S+ on network app\/back/,
  );
});

test('when the address pools are used up, an error says by whom, and the next network that goes makes room', async () => {
  const supervisor = await supervise();
  const many = (names: readonly number[]) =>
    app(names.map((n) => `n${n}: { ipv6: false }`).join(', '), { web: `network: n${names.at(-1)}` });
  const all = Array.from({ length: 17 }, (_, index) => index);
  supervisor.drop('app.yaml', many(all));
  const last = async () => (await networks(supervisor)).filter(({ phase }) => phase !== 'Ready');
  const held = await until('one without a subnet', async () => {
    const [first, ...others] = await last();
    return others.length === 0 && first?.message.includes('no free subnet') ? first : undefined;
  });
  expect(held.message).toMatch(
    /no free subnet in the address pools \(\S+ in \/24\); in use: .*network\/app\/n\d+.* more/,
  );
  expect(held.message.length).toBeLessThan(700);
  expect(held.hint).toContain('--default-address-pool');
  const gone = held.name === 'n3' ? 4 : 3;
  supervisor.drop('app.yaml', many(all.filter((n) => n !== gone)));
  await supervisor.waitFor('web', 'ready', isReady);
  await until('subnets for all', async () => (await last()).length === 0);
});

test('a network that cannot be made is never taken for made', async () => {
  const supervisor = await supervise();
  const parent = `tsdm${process.pid % 100_000}`;
  const file = supervisor.file(
    'app.yaml',
    app(`lan: { driver: macvlan, parent: ${parent}, subnet: 198.51.100.0/24 }, back: {}`, {
      web: 'network: back',
      late: 'networks: [lan]',
    }),
  );
  const { status, stdout, stderr } = await supervisor.cli('apply', '--wait=5s', '-f', file);
  expect(status).not.toBe(0);
  expect(stderr).toMatch(new RegExp(`there is no interface ${parent} on this host`));
  expect(stdout).not.toContain('ready: generation');
  expect(stdout).not.toContain('failed  connect container/app/late');
  expect((await networks(supervisor)).find(({ name }) => name === 'lan')?.phase).not.toBe('Ready');
});

test('running containers exchange host ports in one edit, and keep the others', async () => {
  const supervisor = await supervise();
  const [one, two, stays] = [await freePort(), await freePort(), await freePort()];
  const serve = (name: string) =>
    `command: ${shell(`mkdir -p /www; echo ${name} > /www/index.html; exec busybox httpd -f -p 80 -h /www`)}`;
  const declare = (a: number, b: number) =>
    supervisor.drop(
      'app.yaml',
      app('', {
        a: `ports: ["${a}:80", "${stays}:80"], ${serve('a')}`,
        b: `ports: ["${b}:80"], ${serve('b')}`,
      }),
    );
  declare(one, two);
  const pids = async () => [
    (await supervisor.waitFor('a', 'ready', isReady)).pid,
    (await supervisor.waitFor('b', 'ready', isReady)).pid,
  ];
  const before = await pids();
  const answers = async () =>
    await Promise.all([one, two, stays].map(async (port) => (await fetch(`http://127.0.0.1:${port}/`)).text()));
  expect(await until('answers', answers)).toEqual(['a\n', 'b\n', 'a\n']);
  declare(two, one);
  await until('the other one', async () => (await answers()).join('') === 'b\na\na\n');
  await isDone(supervisor);
  expect(await pids()).toEqual(before);
  declare(one, two);
  await supervisor.crash();
  await supervisor.start();
  await until('the first one', async () => (await answers()).join('') === 'a\nb\na\n');
  expect(await pids()).toEqual(before);
});

test.each([
  ['a network with icc: false', [], 'closed: { icc: false }', 'network: closed, '],
  ['the default network and --icc=false', ['--icc=false'], '', ''],
] as const)(
  'on %s a link opens the ports of its target, also when both start at once',
  async (_, flags, networks, on) => {
    const supervisor = await supervise(...flags);
    const serve = `command: ${shell('mkdir -p /www; echo hello > /www/index.html; exec busybox httpd -f -p 80 -h /www')}`;
    const declare = (port: number, first = serve) =>
      supervisor.drop(
        'app.yaml',
        app(networks, {
          client: `${on}links: [server]`,
          server: `${on}expose: [${port}], ${first}`,
          stranger: `${on}dependsOn: [client]`,
        }),
      );
    declare(80);
    await supervisor.waitFor('stranger', 'ready', isReady);
    const { address, pid } = await supervisor.waitFor('server', 'ready', isReady);
    const get = async (name: string, port = 80) =>
      await supervisor.cli(
        'exec',
        name,
        '--',
        'busybox',
        'wget',
        '-q',
        '-T',
        '2',
        '-O',
        '-',
        `http://${address}:${port}/`,
      );
    await until('the linked one', async () => (await get('client')).stdout === 'hello\n');
    expect((await get('stranger')).status).not.toBe(0);
    // Another port of the target counts from the next run of who links to it.
    declare(81, serve.replace('-p 80', '-p 81'));
    await supervisor.waitFor('server', 'changed', (view) => view.ready && view.pid !== pid);
    await isDone(supervisor);
    await supervisor.ok('restart', 'client');
    await until('its new port', async () => (await get('client', 81)).stdout === 'hello\n');
  },
);

test('packets are as large as those of the default route, also where /sys is of another namespace', async () => {
  const commands = [
    'ip link set lo up',
    'ip link add up0 mtu 1400 type veth peer name up1 mtu 1400',
    'ip link set up1 up',
    'ip link set up0 up',
    'ip addr add 198.51.100.2/24 dev up0',
    'ip route add default via 198.51.100.1',
    'exec "$@"',
  ];
  const supervisor = new TestSupervisor([], ['unshare', '--net', 'sh', '-ec', commands.join('; '), 'sh']);
  onTestFinished(() => supervisor.destroy());
  await supervisor.start();
  supervisor.drop('app.yaml', app('back: {}', { web: 'networks: [back, bridge]' }));
  await supervisor.waitFor('web', 'ready', isReady);
  const mtus = await supervisor.ok('exec', 'web', '--', 'busybox', 'sh', '-c', 'cat /sys/class/net/eth*/mtu');
  expect(mtus.trim().split(/\s+/)).toEqual(['1400', '1400']);
});

test('the default network is shown by the name that lists have, and no manifest can delete it', async () => {
  const supervisor = await supervise();
  expect((await networks(supervisor)).map(({ name }) => name)).toEqual(['bridge']);
  expect(JSON.parse(await supervisor.ok('describe', 'network', 'bridge', '-o', 'json'))).toMatchObject({
    view: { name: 'bridge', phase: 'Ready', bridge: supervisor.bridge },
  });
  expect(await supervisor.ok('why', 'network/bridge')).toContain('is Ready');
  const { status, stderr } = await supervisor.cli('delete', 'network/bridge');
  expect(status).toBe(1);
  expect(stderr).toContain('the default network is declared by no manifest');
});
