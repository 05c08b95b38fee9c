/** IPv6 on a host of its own, which another machine tells that it is the router. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { DoctorCheck, InfoView } from '../../src/api/views/host-views.ts';
import type { EndpointView, NetworkView } from '../../src/api/views/resource-views.ts';
import { inNetns } from '../../src/ffi/process/namespaces.ts';
import {
  blocked,
  enterPrivateHost,
  reaches,
  serve,
  shell as sh,
  sourceSeen,
  stopServers,
  udpClient,
} from '../contract/network/private-host.ts';
import { BUSYBOX_IMAGE, FOREVER, IDLE, shell } from '../support/manifests.ts';
import { addressesOf as asked } from '../support/names.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const OUTSIDE6 = '2001:db8:1::2';
/** Not of the instance: each test knows the addresses in it. */
const FIXED = 'fd00:77::';

let outside: number;
/** The address that this host has given itself. */
let host6: string;

const setting = (path: string): string => readFileSync(`/proc/sys/net/ipv6/conf/${path}`, 'utf8').trim();

const ADVERTISE = `
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
link = socket.if_nametoindex('wire')
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link)
prefix = struct.pack('!BBBBIII', 3, 4, 64, 0xc0, 86400, 14400, 0) + socket.inet_pton(socket.AF_INET6, '2001:db8:1::')
s.sendto(struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, 1800, 0, 0) + prefix, ('ff02::1', 0, 0, link))
`;

/** The machine outside says that it is the router. */
const advertise = (): void => inNetns(outside, () => void execFileSync('python3', ['-c', ADVERTISE]));

const advertised = (): string => sh('ip -6 route show default proto ra');

/** Advertises until this host has a default route; one advertisement may be lost. */
async function untilAdvertised(): Promise<void> {
  await until('the advertised default route', () => {
    advertise();
    return advertised() !== '';
  });
}

const settled = (where: string): boolean => !sh(`ip -6 address show ${where}`).includes('tentative');

beforeAll(async () => {
  outside = enterPrivateHost();
  inNetns(outside, () => {
    // It hears itself.
    writeFileSync('/proc/sys/net/ipv6/conf/wire/accept_ra', '0');
    sh(`ip address add ${OUTSIDE6}/64 dev wire nodad`);
  });
  await until('the address of the link outside', () => inNetns(outside, () => settled('dev wire')));
  await untilAdvertised();
  await until('the address of this host', () => settled('dev uplink scope global'));
  host6 = /inet6 (2001:db8:1:\S+)\/64/.exec(sh('ip -6 address show dev uplink'))?.[1] ?? '';
  inNetns(outside, () => sh(`ip route add fd00::/8 via ${host6}`));
});

const supervise = (...flags: readonly string[]): Promise<TestSupervisor> => {
  const one = new TestSupervisor(flags);
  onTestFinished(() => one.destroy());
  return one.start();
};

let supervisor: TestSupervisor;
beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});
afterEach(async () => {
  stopServers();
  await supervisor.destroy();
});

function declare(networks: string, containers: string): void {
  supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}networks: { ${networks} }\ncontainers:\n${containers}`);
}

interface Running {
  readonly pid: number;
  /** Of its network; closed with the test. */
  readonly netns: number;
  readonly endpoints: readonly EndpointView[];
  /** Without prefix length. */
  readonly ipv6: string;
}

async function ready(name: string, at = supervisor): Promise<Running> {
  const { pid, endpoints = [] } = await at.waitFor(name, 'ready', (view) => view.ready);
  const netns = openSync(`/proc/${pid}/ns/net`, 'r');
  onTestFinished(() => closeSync(netns));
  return { pid: pid ?? 0, netns, endpoints, ipv6: endpoints[0]?.ipv6?.split('/')[0] ?? '' };
}

const networksOf = async (at: TestSupervisor): Promise<readonly NetworkView[]> =>
  JSON.parse(await at.ok('get', 'networks', '-o', 'json'));
const subnets6 = async (at: TestSupervisor) => (await networksOf(at)).map(({ name, subnet6 }) => [name, subnet6]);
const infoOf = async (at: TestSupervisor): Promise<InfoView> => JSON.parse(await at.ok('info', '-o', 'json'));

const ping6 = (name: string, to: string) =>
  supervisor.ok('exec', name, '--', 'busybox', 'ping', '-6', '-c', '1', '-W', '10', to);

const HELLO = shell(`mkdir -p /www; echo hello > /www/index.html; busybox httpd -p [::]:80 -h /www; ${IDLE}`);

describe('networks that do not say whether they have IPv6', () => {
  test('have it, the default bridge too, and lead to peers, to this host, and outside under its address', async () => {
    declare(
      'back: {}',
      `  web: { image: busybox, command: ${FOREVER}, networks: [back], stopTimeout: 1s }
  db: { image: busybox, command: ${FOREVER}, networks: [back], stopTimeout: 1s }
  plain: { image: busybox, command: ${FOREVER}, stopTimeout: 1s }
`,
    );
    const [web, db, plain] = [await ready('web'), await ready('db'), await ready('plain')];
    expect((await infoOf(supervisor)).newNetworks).toEqual({ ipv6: true, lacking: null });
    for (const { endpoints } of [web, db, plain]) {
      expect(endpoints).toEqual([
        expect.objectContaining({ ipv4: expect.any(String), ipv6: expect.stringMatching(/^fd/) }),
      ]);
    }
    expect(await asked(web.pid, 'db', 'AAAA')).toEqual([db.ipv6]);
    await ping6('web', 'db');
    for (const [name, { endpoints }] of [
      ['web', web],
      ['plain', plain],
    ] as const) {
      await ping6(name, endpoints[0]?.gateway6 ?? '');
      await ping6(name, OUTSIDE6);
    }
    serve(outside, 83, '::');
    expect(await sourceSeen(web.netns, OUTSIDE6, 83)).toBe(host6);
    expect(await sourceSeen(plain.netns, OUTSIDE6, 83)).toBe(host6);
  });

  test('keep their prefix, which is that of the instance, when the supervisor starts again', async () => {
    declare('back: {}', `  web: { image: busybox, command: ${FOREVER}, networks: [back], stopTimeout: 1s }\n`);
    const web = await ready('web');
    const before = await subnets6(supervisor);
    const prefix = /^fd[\da-f:]{12}/.exec(String(before[0]?.[1]))?.[0] ?? 'none';
    expect(before).toEqual([
      ['bridge', expect.stringContaining(prefix)],
      ['back', expect.stringContaining(prefix)],
    ]);
    await supervisor.crash();
    await supervisor.start();
    expect(await subnets6(supervisor)).toEqual(before);
    expect((await ready('web')).pid).toBe(web.pid);
    expect(await supervisor.ok('plan')).toBe('Nothing to do.\n');
    const other = await supervise();
    expect((await subnets6(other))[0]?.[1]).toMatch(/^fd/);
    expect((await subnets6(other))[0]?.[1]).not.toContain(prefix);
  });

  test('stay without it when they were made so', async () => {
    const earlier = await supervise('--ipv6=false');
    const text = (networks: string): string =>
      `${BUSYBOX_IMAGE}networks: { ${networks} }\ncontainers:\n  plain: { image: busybox, command: ${FOREVER}, stopTimeout: 1s }\n`;
    earlier.drop('app.yaml', text('back: {}'));
    const plain = await ready('plain', earlier);
    await until('the network', async () =>
      (await networksOf(earlier)).some(({ name, phase }) => name === 'back' && phase === 'Ready'),
    );
    await earlier.stop();
    await earlier.start('--ipv6=auto');
    expect(await earlier.ok('plan')).toBe('Nothing to do.\n');
    earlier.drop('app.yaml', text('back: {}, front: {}'));
    await until('a new one', async () => (await subnets6(earlier)).length === 3);
    expect(await subnets6(earlier)).toEqual([
      ['bridge', null],
      ['back', null],
      ['front', expect.stringMatching(/^fd/)],
    ]);
    expect(await ready('plain', earlier)).toMatchObject({ pid: plain.pid, ipv6: '' });
    expect(inNetns(plain.netns, () => sh('ip -6 address show dev eth0'))).toBe('');
  });
});

test('this host keeps the default route that it is told of, also after the next advertisement', async () => {
  expect(setting('all/forwarding')).toBe('1');
  declare(
    'back: { ipv6: true }',
    `  web: { image: busybox, command: ${FOREVER}, networks: [back], stopTimeout: 1s }\n`,
  );
  const web = await ready('web');
  expect(advertised()).toContain('dev uplink');
  // It is still learned, not only left.
  sh('ip -6 route del default');
  await untilAdvertised();
  await ping6('web', OUTSIDE6);
  // Neither its bridges nor containers listen to advertisements.
  expect(setting(`${supervisor.bridge}/accept_ra`)).toBe('0');
  expect(inNetns(web.netns, () => setting('eth0/accept_ra'))).toBe('0');
});

test('a network of IPv6 alone has names, and containers reach each other and what is outside', async () => {
  declare(
    'back: { ipv4: false }',
    `  web: { image: busybox, command: ${FOREVER}, networks: [back], stopTimeout: 1s }
  db: { image: busybox, command: ${HELLO}, networks: { back: { aliases: [store] } }, stopTimeout: 1s }
`,
  );
  const [web, db] = [await ready('web'), await ready('db')];
  expect(db.endpoints[0]).toMatchObject({ ipv4: null, ipv6: expect.stringMatching(/^fd/) });
  expect(inNetns(web.netns, () => sh('ip -4 address show dev eth0'))).toBe('');
  for (const name of ['db', 'store', 'app-db']) expect(await asked(web.pid, name, 'AAAA')).toEqual([db.ipv6]);
  expect(await asked(web.pid, 'db')).toEqual([]);
  expect(await supervisor.ok('exec', 'web', '--', 'busybox', 'wget', '-q', '-O', '-', 'http://store/')).toBe('hello\n');
  await ping6('web', OUTSIDE6);
});

test('a program whose first act is to listen at its address can', async () => {
  const command = JSON.stringify(['busybox', 'httpd', '-f', '-p', `[${FIXED}5]:80`]);
  declare(
    `back: { subnet6: "${FIXED}/64" }`,
    `  web: { image: busybox, command: ${command}, restart: "no", networks: { back: { ipv6: "${FIXED}5" } }, stopTimeout: 1s }\n`,
  );
  const { netns } = await ready('web');
  expect(await until('an answer', () => reaches(null, `${FIXED}5`, 80))).toBe(true);
  expect(inNetns(netns, () => sh('ip -6 -o address show tentative'))).toBe('');
  expect((await supervisor.container('web'))?.restarts).toBe(0);
});

test('a network without IPv6 gives no address, not even one of the link', async () => {
  declare(
    'back: { ipv6: false }',
    `  web: { image: busybox, command: ${FOREVER}, networks: [back], stopTimeout: 1s }\n`,
  );
  const { netns } = await ready('web');
  const back = (await networksOf(supervisor)).find(({ name }) => name === 'back');
  expect(inNetns(netns, () => sh('ip -6 address show dev eth0'))).toBe('');
  expect(sh(`ip -6 address show dev ${back?.bridge}`)).toBe('');
});

test('published ports are reached from this host, from outside with the own address, and from another network', async () => {
  const port = await freePort();
  declare(
    'back: {}, front: {}',
    `  web: { image: busybox, command: ${FOREVER}, networks: [back], ports: ["${port}:80"], stopTimeout: 1s }
  far: { image: busybox, command: ${FOREVER}, networks: [front], stopTimeout: 1s }
`,
  );
  const [web, far] = [await ready('web'), await ready('far')];
  serve(web.netns, 80, '::');
  expect(await sourceSeen(outside, host6, port)).toBe(OUTSIDE6);
  for (const address of [host6, '::1']) expect(reaches(null, address, port)).toBe(true);
  expect(reaches(far.netns, host6, port)).toBe(true);
  // At the container itself nothing is open but for its own network.
  for (const netns of [far.netns, outside]) expect(blocked(netns, web.ipv6, 80)).toBe(true);
  await supervisor.crash();
  expect(await sourceSeen(outside, host6, port)).toBe(OUTSIDE6);
  await supervisor.start();
});

test('without inter-container communication a link leads to IPv6 too, and nothing else does', async () => {
  const manifest = (links: string): void =>
    declare(
      'back: { icc: false, ipv4: false }',
      `  web: { image: busybox, command: ${FOREVER}, networks: [back]${links}, stopTimeout: 1s }
  db: { image: busybox, command: ${FOREVER}, networks: [back], expose: [80], stopTimeout: 1s }
`,
    );
  manifest('');
  const [stranger, db] = [await ready('web'), await ready('db')];
  for (const port of [80, 81]) serve(db.netns, port, '::');
  expect(blocked(stranger.netns, db.ipv6, 80)).toBe(true);
  manifest(', links: [db]');
  const linked = await supervisor.waitFor('web', 'linked', (view) => view.ready && view.pid !== stranger.pid);
  expect(linked.pid).not.toBeNull();
  const web = await ready('web');
  expect(await sourceSeen(web.netns, db.ipv6, 80)).toBe(web.ipv6);
  expect(blocked(web.netns, db.ipv6, 81)).toBe(true);
});

/** What the kernel has counted for a network namespace; null: for that of this thread. */
const counted = (pid: number | null, name: string): number =>
  Number(
    new RegExp(`^${name}\\s+(\\d+)$`, 'm').exec(readFileSync(`/proc/${pid ?? 'thread-self'}/net/snmp6`, 'utf8'))?.[1],
  );

test('nothing from outside arrives at a container, not even before the first packet of its own', async () => {
  const client = udpClient(outside, `${FIXED}5`, 7777);
  onTestFinished(() => client.close());
  const sent = () => inNetns(outside, () => counted(null, 'Udp6OutDatagrams'));
  const some = async () => {
    const before = sent();
    await until('some more that is sent', () => sent() > before + 2);
  };
  await some();
  // Nothing listens: each datagram that arrives is counted.
  const arrived = (pid: number) => counted(pid, 'Udp6NoPorts');
  const container = `  web: { image: busybox, command: ${FOREVER}, networks: { back: { ipv6: "${FIXED}5" } }, stopTimeout: 1s }\n`;
  declare(`back: { subnet6: "${FIXED}/64" }`, container);
  const closed = await ready('web');
  await some();
  expect(arrived(closed.pid)).toBe(0);
  const here = udpClient(null, `${FIXED}5`, 7777);
  await until('one from this host', () => arrived(closed.pid) > 0);
  here.close();
  rmSync(join(supervisor.manifests, 'app.yaml'));
  await until('no network', async () => (await networksOf(supervisor)).length === 1);
  declare(`back: { subnet6: "${FIXED}/64", directAccess: true }`, container);
  const open = await ready('web');
  await until('one from outside, where others may reach it', () => arrived(open.pid) > 0);
});

describe('a host without IPv6', () => {
  /** A supervisor that starts in a network namespace in which a setting is on. */
  const without = async (setting: string): Promise<TestSupervisor> => {
    const prepared = `echo 1 > /proc/sys/net/ipv6/conf/${setting}/disable_ipv6; ip link set lo up; exec "$@"`;
    const one = new TestSupervisor([], ['unshare', '--net', 'sh', '-c', prepared, 'sh']);
    onTestFinished(() => one.destroy());
    return one.start();
  };
  const WEB = `${BUSYBOX_IMAGE}networks: { back: {} }
containers:
  web: { image: busybox, command: ${FOREVER}, networks: [back], stopTimeout: 1s }
  plain: { image: busybox, command: ${FOREVER}, stopTimeout: 1s }
`;

  test.each(['all', 'default'])(
    '(%s.disable_ipv6) has IPv4 without a complaint, and says so where one looks',
    async (which) => {
      const at = await without(which);
      const lacking = `net.ipv6.conf.${which}.disable_ipv6 is 1`;
      const file = at.file('app.yaml', WEB);
      expect(await at.ok('apply', '--dry-run', '-f', file)).toContain(`without IPv6: ${lacking}`);
      await at.ok('apply', '--wait=1m', '-f', file);
      for (const name of ['web', 'plain']) {
        expect((await ready(name, at)).endpoints).toEqual([
          expect.objectContaining({ ipv4: expect.any(String), ipv6: null }),
        ]);
      }
      expect(await at.ok('plan')).toBe('Nothing to do.\n');
      const info = await infoOf(at);
      expect(info.newNetworks).toEqual({ ipv6: false, lacking });
      expect(info.warnings.join()).not.toContain('IPv6');
      expect(await at.ok('info')).toContain(`IPv4, without IPv6: ${lacking}`);
      const checks = JSON.parse((await at.cli('doctor', '-o', 'json')).stdout) as DoctorCheck[];
      expect(checks.find(({ name }) => name === 'new networks')).toMatchObject({
        status: 'ok',
        message: `those that do not say have IPv4, without IPv6: ${lacking}`,
      });
      const complaints = at.log.split('\n').filter((line) => /"level":(4|5)0/.test(line));
      expect(complaints.filter((line) => line.includes('IPv6'))).toEqual([]);
    },
  );

  test('has it where it is asked for and only new interfaces are without', async () => {
    const at = await without('default');
    at.drop('app.yaml', WEB.replace('back: {}', 'back: { ipv6: true }'));
    expect((await ready('web', at)).ipv6).toMatch(/^fd/);
    expect((await ready('plain', at)).ipv6).toBe('');
  });
});
