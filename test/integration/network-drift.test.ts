/** What of a network somebody removes comes back under a container that runs on: each thing that there is, one by one. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, IDLE, shell } from '../support/manifests.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const supervisor = new TestSupervisor();

interface Place {
  readonly pid: number;
  /** Of the container on `back`. */
  readonly ipv4: string;
  readonly ipv6: string;
  readonly front: string;
  readonly bridge: string;
  readonly port: number;
}
let at: Place;

const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' });
const inside = (...command: string[]): string => run('nsenter', '-t', String(at.pid), '-n', ...command);
const hasInside = (text: string, ...command: string[]): boolean => inside(...command).includes(text);
const veths = (): string[] =>
  readdirSync('/sys/class/net').filter((name) => name.startsWith(`v${supervisor.instance}`));
/** The host's end of eth0. */
const veth = (): string => {
  const index = /^\d+: eth0@if(\d+)/.exec(inside('ip', '-o', 'link', 'show', 'eth0'))?.[1] ?? '0';
  return veths().find((name) => readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8').trim() === index) ?? '';
};
const table = (family = 'inet'): string => run('nft', 'list', 'table', family, `tsd-${supervisor.instance}`);
const subnet = (address: string): string => address.replace(/\.\d+\//, '.0/');
const bare = (address: string): string => address.replace(/\/.*$/, '');
const startOf = (pid: number): string =>
  readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')[19] ?? '';

beforeAll(async () => {
  await supervisor.start();
  const port = await freePort();
  const web = shell(`mkdir -p /www; echo up > /www/index.html; busybox httpd -p 80 -h /www; ${IDLE}`);
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}networks: { back: { ipv6: true }, front: {} }
containers:
  web:
    image: busybox
    command: ${web}
    stopTimeout: 1s
    networks: { back: { gatewayPriority: 1 }, front: {} }
    ports: ["${port}:80"]
    bandwidth: 100Mbit
`,
  );
  const view = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const of = (network: string) => view.endpoints?.find((one) => one.network === `app/${network}`);
  const networks = JSON.parse(await supervisor.ok('get', 'networks', '-o', 'json')) as {
    name: string;
    bridge: string;
  }[];
  at = {
    pid: view.pid ?? 0,
    ipv4: of('back')?.ipv4 ?? '',
    ipv6: of('back')?.ipv6 ?? '',
    front: of('front')?.ipv4 ?? '',
    bridge: networks.find(({ name }) => name === 'back')?.bridge ?? '',
    port,
  };
});

afterAll(async () => {
  await supervisor.destroy();
});

const answers = async (): Promise<boolean> => {
  const response = await fetch(`http://127.0.0.1:${at.port}/`, { signal: AbortSignal.timeout(1000) });
  return (await response.text()) === 'up\n';
};

interface Thing {
  readonly remove: () => unknown;
  readonly isThere: () => boolean;
}

const things: Readonly<Record<string, Thing>> = {
  'an interface': {
    remove: () => run('ip', 'link', 'delete', veth()),
    isThere: () => veths().length === 2 && inside('ip', '-o', 'link').includes('eth0'),
  },
  'an IPv4 address': {
    remove: () => inside('ip', 'addr', 'del', at.ipv4, 'dev', 'eth0'),
    isThere: () => hasInside(at.ipv4, 'ip', 'addr', 'show', 'eth0'),
  },
  'an IPv6 address': {
    remove: () => inside('ip', 'addr', 'del', at.ipv6, 'dev', 'eth0'),
    isThere: () => hasInside(at.ipv6, 'ip', 'addr', 'show', 'eth0'),
  },
  'the default route': {
    remove: () => inside('ip', 'route', 'del', 'default'),
    isThere: () => hasInside('default via', 'ip', 'route'),
  },
  'the IPv6 default route': {
    remove: () => inside('ip', '-6', 'route', 'del', 'default'),
    isThere: () => hasInside('default via', 'ip', '-6', 'route'),
  },
  'the route of a subnet': {
    remove: () => inside('ip', 'route', 'del', subnet(at.ipv4)),
    isThere: () => hasInside(`${subnet(at.ipv4)} dev eth0`, 'ip', 'route'),
  },
  'the route of an IPv6 subnet': {
    remove: () => inside('ip', '-6', 'route', 'del', at.ipv6.replace(/::?[^:]*\//, '::/'), 'dev', 'eth0'),
    isThere: () => hasInside(at.ipv6.replace(/::?[^:]*\//, '::/'), 'ip', '-6', 'route'),
  },
  'a routing rule': {
    remove: () => inside('ip', 'rule', 'del', 'from', bare(at.front)),
    isThere: () => hasInside(`from ${bare(at.front)}`, 'ip', 'rule'),
  },
  'the limit of what it receives': {
    remove: () => run('tc', 'qdisc', 'del', 'dev', veth(), 'root'),
    isThere: () => run('tc', 'qdisc', 'show', 'dev', veth()).includes('tbf'),
  },
  'the limit of what it sends': {
    remove: () => inside('tc', 'qdisc', 'del', 'dev', 'eth0', 'root'),
    isThere: () => hasInside('tbf', 'tc', 'qdisc', 'show', 'dev', 'eth0'),
  },
  'a filter': {
    remove: () => run('tc', 'filter', 'del', 'dev', veth(), 'ingress'),
    isThere: () => run('tc', 'filter', 'show', 'dev', veth(), 'ingress').includes('tsd:'),
  },
  'an element of a map': {
    remove: () =>
      run('nft', 'delete', 'element', 'inet', `tsd-${supervisor.instance}`, 'ports_any', `{ tcp . ${at.port} }`),
    isThere: () => new RegExp(`tcp \\. ${at.port} .*: ${bare(at.ipv4)}`).test(table()),
  },
  'an element of a set': {
    remove: () =>
      run('nft', 'delete', 'element', 'inet', `tsd-${supervisor.instance}`, 'bridges', `{ "${at.bridge}" }`),
    isThere: () => /set bridges \{[^}]*elements = \{[^}]*/.exec(table())?.[0].includes(at.bridge) === true,
  },
  'a chain of rules': {
    remove: () => run('nft', 'flush', 'chain', 'inet', `tsd-${supervisor.instance}`, 'forward'),
    isThere: () => /chain forward \{[^}]*(accept|drop|jump|return|goto)/.test(table().replace(/policy \w+;/g, '')),
  },
  'the tables': {
    remove: () => run('nft', 'delete', 'table', 'inet', `tsd-${supervisor.instance}`),
    isThere: () => run('nft', 'list', 'tables').includes(`inet tsd-${supervisor.instance}`),
  },
  'the address of a bridge': {
    remove: () => run('ip', '-4', 'addr', 'flush', 'dev', at.bridge),
    isThere: () => run('ip', '-4', 'addr', 'show', 'dev', at.bridge).includes('inet '),
  },
  'the route of a bridge': {
    remove: () => run('ip', 'route', 'del', subnet(at.ipv4)),
    isThere: () => run('ip', 'route').includes(`${subnet(at.ipv4)} dev ${at.bridge}`),
  },
  'a bridge': {
    remove: () => run('ip', 'link', 'delete', at.bridge),
    isThere: () => run('ip', '-o', 'link').includes(`${at.bridge}:`) && veths().length === 2,
  },
  'a neighbour entry': {
    remove: () => run('ip', 'neigh', 'flush', 'dev', at.bridge),
    isThere: () => run('ip', 'neigh', 'show', 'dev', at.bridge).includes(bare(at.ipv4)),
  },
};

test.each(Object.keys(things))('%s comes back, and the program runs on', async (name) => {
  const { remove, isThere } = things[name] as Thing;
  await until('an answer before', answers);
  const started = startOf(at.pid);
  expect(isThere()).toBe(true);
  remove();
  await until(`${name} back and an answer`, async () => (await answers()) && isThere());
  expect(startOf(at.pid)).toBe(started);
  expect(await supervisor.container('web')).toMatchObject({ pid: at.pid, restarts: 0 });
});
