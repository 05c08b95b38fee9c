import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
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

/** Answers each HTTP request with the name given. */
const httpServer = (name: string) =>
  shell(`mkdir -p /www; echo ${name} > /www/index.html; busybox httpd -p 80 -h /www; ${IDLE}`);

const get = async (port: number) => (await fetch(`http://127.0.0.1:${port}/`)).text();

describe('published ports', () => {
  test('answer on 127.0.0.1, and move without a restart of the container', async () => {
    const [first, second] = [await freePort(), await freePort()];
    const manifest = (port: number) =>
      `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${httpServer('hello')}, ports: ["${port}:80"] }\n`;
    supervisor.drop('app.yaml', manifest(first));
    const before = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    expect(await until('an answer', () => get(first))).toBe('hello\n');
    supervisor.drop('app.yaml', manifest(second));
    expect(await until('an answer on the new port', () => get(second))).toBe('hello\n');
    expect((await supervisor.container('web'))?.pid).toBe(before.pid);
    await expect(get(first)).rejects.toThrow();
  });

  test('with a foreign listener park the container, name the listener, and start once it ends', async () => {
    const port = await freePort();
    const foreign = createServer();
    await new Promise<void>((listening) => foreign.listen(port, listening));
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${httpServer('mine')}, ports: ["${port}:80"] }\n  other: { image: busybox, command: ${FOREVER} }\n`,
    );
    await supervisor.waitFor('other', 'ready', ({ ready }) => ready);
    const parked = await supervisor.waitFor('web', 'parked', ({ message }) => message.includes(String(port)));
    expect(parked.phase).not.toBe('Running');
    expect(parked.message).toContain(String(process.pid));
    await new Promise((closed) => foreign.close(closed));
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    expect(await until('an answer', () => get(port))).toBe('mine\n');
  });
});

describe('a choice of the supervisor', () => {
  const [FIRST = 0, LAST = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t').map(Number);

  /** A listener on a port; null where someone else has it, for however short a time. */
  async function taken(port: number): Promise<Server | null> {
    const server = createServer();
    const isOurs = await new Promise<boolean>((done) => {
      server.once('error', () => done(false)).listen(port, () => done(true));
    });
    return isOurs ? server : null;
  }

  test('is a free port, and a plan chooses none', async () => {
    // The first ones that are picked; the other programs of a host come and go in this range.
    const foreign = (await Promise.all([0, 1, 2, 3].map((more) => taken(FIRST + more)))).filter((one) => one !== null);
    const held = foreign.map((server) => (server.address() as AddressInfo).port);
    expect(held).not.toEqual([]);
    const text = `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${httpServer('mine')}, ports: ["80"], stopTimeout: 1s }\n`;
    const file = supervisor.file('app.yaml', text);
    await supervisor.ok('apply', '--dry-run', '-f', file);
    expect(await supervisor.ok('plan', '-o', 'json')).toContain('"ops": []');
    await supervisor.ok('apply', '--wait=2m', '-f', file);
    const [published = ''] = (await supervisor.container('web'))?.ports ?? [];
    const [, port] = /^0\.0\.0\.0:(\d+)->80\/tcp$/.exec(published) ?? [];
    expect(held).not.toContain(Number(port));
    expect(Number(port)).toBeGreaterThanOrEqual(FIRST);
    expect(Number(port)).toBeLessThanOrEqual(LAST);
    expect(await until('an answer', () => get(Number(port)))).toBe('mine\n');
    for (const server of foreign) await new Promise((closed) => server.close(closed));
  });

  test('that a later manifest asks for is named with its container and line', async () => {
    const container = (name: string, port: string) =>
      `${BUSYBOX_IMAGE}containers:\n  ${name}: { image: busybox, command: ${FOREVER}, ports: ["${port}"], stopTimeout: 1s }\n`;
    const chosen = supervisor.drop('first.yaml', container('chosen', '80'));
    const { ports } = await supervisor.waitFor('chosen', 'ready', ({ ready }) => ready);
    const port = /:(\d+)->80/.exec(ports[0] ?? '')?.[1] ?? '';
    supervisor.drop('second.yaml', container('late', `127.0.0.1:${port}:80/tcp`));
    const parked = await supervisor.waitFor('late', 'parked', ({ message }) => message.includes(port));
    expect(parked.message).toContain(
      `host port 127.0.0.1:${port}/tcp is published by container/first/chosen (${chosen}:`,
    );
    expect(parked.phase).not.toBe('Running');
    rmSync(chosen);
    await supervisor.cli('approve', '--yes');
    await supervisor.waitFor('late', 'ready', ({ ready }) => ready);
  });

  test('is an address that no manifest requests', async () => {
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}networks: { n: { subnet: ${supervisor.subnet.replace('232', '233')}.0/29 } }
containers:
  any: { image: busybox, command: ${FOREVER}, network: n, stopTimeout: 1s }
  fixed: { image: busybox, command: ${FOREVER}, network: n, address: ${supervisor.subnet.replace('232', '233')}.2, links: [any], stopTimeout: 1s }
`,
    );
    const fixed = await supervisor.waitFor('fixed', 'ready', ({ ready }) => ready);
    expect(fixed.address).toMatch(/\.2$/);
    expect((await supervisor.container('any'))?.address).toMatch(/\.3$/);
  });
});

describe('links', () => {
  const manifest = (links: string, volume: string) => `${BUSYBOX_IMAGE}networks: { back: {} }
containers:
  web:
    image: busybox
    command: ${shell(`env | sort; cat /etc/hosts; wget -q -O - http://database/; ${IDLE}`)}
    network: back
    links: ${links}
    stopTimeout: 1s
  db: { image: busybox, command: ${httpServer('from db')}, network: back, expose: [80], env: { SECRET: x }, volumes: [/${volume}], stopTimeout: 1s }
`;

  test('inject environment and hosts entries, order the start, and appear in the link graph', async () => {
    supervisor.drop('app.yaml', manifest('["db:database"]', 'x'));
    const web = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    const db = await supervisor.container('db');
    expect(Date.parse(db?.startedAt ?? '')).toBeLessThanOrEqual(Date.parse(web.startedAt ?? ''));
    const log = await until('the answer in the log', async () => {
      const { stdout } = await supervisor.cli('logs', 'web');
      return stdout.includes('from db') ? stdout : null;
    });
    expect(log).toContain(`DATABASE_PORT=tcp://${db?.address}:80`);
    expect(log).toContain('DATABASE_ENV_SECRET=x');
    expect(log).toContain(`${db?.address}\tdatabase`);
    const aliases = () => {
      const file = new Database(join(supervisor.root, 'linkgraph.db'), { readonly: true });
      const edges = file.prepare("SELECT entity_id, parent_id, name FROM edge WHERE parent_id != '0'").all();
      file.close();
      return edges;
    };
    expect(aliases()).toEqual([{ entity_id: db?.id, parent_id: web.id, name: 'database' }]);
    supervisor.drop('app.yaml', manifest('["db:store"]', 'y'));
    await supervisor.waitFor('web', 'restarted', ({ ready, pid }) => ready && pid !== web.pid);
    expect(aliases()).toEqual([
      { entity_id: (await supervisor.container('db'))?.id, parent_id: web.id, name: 'store' },
    ]);
  });
});

describe('network modes', () => {
  test('none has only loopback, host sees the bridge, container:NAME shares a network', async () => {
    const interfaces = shell(`ls /sys/class/net; ${IDLE}`);
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:
  alone: { image: busybox, command: ${interfaces}, network: none }
  open: { image: busybox, command: ${interfaces}, network: host }
  base: { image: busybox, command: ${httpServer('base')} }
  rider: { image: busybox, command: ${shell(`until wget -q -O - http://127.0.0.1/; do sleep 0.05; done; ${IDLE}`)}, network: "container:base" }
`,
    );
    for (const name of ['alone', 'open', 'base', 'rider'])
      await supervisor.waitFor(name, 'ready', ({ ready }) => ready);
    const log = (name: string, text: string) =>
      until(`${text} in the log of ${name}`, async () => (await supervisor.ok('logs', name)).includes(text));
    await log('alone', 'lo\n');
    await log('open', `${supervisor.bridge}\n`);
    await log('rider', 'base\n');
    expect(await supervisor.ok('logs', 'alone')).toBe('lo\n');
    const inside = (name: string, ...command: string[]) => supervisor.ok('exec', name, 'busybox', ...command);
    const host = await inside('base', 'hostname');
    expect(await inside('rider', 'hostname')).toBe(host);
    expect(await inside('rider', 'cat', '/etc/hostname')).toBe(host);
    const address = (await supervisor.container('base'))?.address;
    expect(await inside('rider', 'hostname', '-i')).toBe(`${address}\n`);
  });
});

describe('a payload that enters its own network namespace', () => {
  test('gets none of our interfaces there, also from the next supervisor', async () => {
    const leave = 'exec busybox unshare -U -r -n busybox sleep 86014';
    const container = (name: string, rest: string) =>
      `${BUSYBOX_IMAGE}containers: { ${name}: { image: busybox, ${rest} } }\n`;
    supervisor.drop(
      'leaver.yaml',
      container('leaver', `user: "1000", capabilities: { drop: [ALL] }, seccomp: unconfined, command: ${shell(leave)}`),
    );
    const { id, pid } = await supervisor.waitFor('leaver', 'runs', (view) => view.pid !== null);
    const interfaces = () =>
      readFileSync(`/proc/${pid}/net/dev`, 'utf8')
        .split('\n')
        .flatMap((line) => /^ *(\w+):/.exec(line)?.[1] ?? []);
    await until('it has left', () => interfaces().join() === 'lo');
    const veth = () => readFileSync(`/sys/class/net/v${supervisor.instance}${id.slice(0, 8)}/ifindex`, 'utf8');
    const before = veth();

    await supervisor.stop();
    await supervisor.start();
    // What comes next has been done when this is.
    supervisor.drop('later.yaml', container('later', `command: ${FOREVER}`));
    await supervisor.waitFor('later', 'runs', (view) => view.pid !== null);
    expect(interfaces()).toEqual(['lo']);
    expect(veth()).toBe(before);
    expect(await supervisor.container('leaver')).toMatchObject({ pid, phase: 'Running' });
  });
});

describe('the default bridge', () => {
  test('is created as soon as the host allows it, without a restart', async () => {
    await supervisor.stop();
    const { bridge } = supervisor;
    execFileSync('ip', ['link', 'add', bridge, 'type', 'veth', 'peer', 'name', `${bridge}p`]);
    try {
      await supervisor.start();
      supervisor.drop(
        'app.yaml',
        `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER} }\n  alone: { image: busybox, network: none, command: ${FOREVER} }\n`,
      );
      await supervisor.waitFor('alone', 'ready', ({ ready }) => ready);
      const parked = await supervisor.waitFor('web', 'held back', ({ message }) => message.includes('default bridge'));
      expect(parked.message).toContain(bridge);
      expect(parked.phase).not.toBe('Running');
    } finally {
      execFileSync('ip', ['link', 'del', bridge]);
    }
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    expect(supervisor.log).toContain('the default bridge could be made now');
  });

  test('conflicts with a subnet of the host in an error that names the flag for another one', async () => {
    await supervisor.stop();
    const { bridge, subnet } = supervisor;
    execFileSync('ip', ['link', 'add', `${bridge}q`, 'type', 'bridge']);
    try {
      execFileSync('ip', ['address', 'add', `${subnet}.1/24`, 'dev', `${bridge}q`]);
      execFileSync('ip', ['link', 'set', `${bridge}q`, 'up']);
      await supervisor.start();
      expect(supervisor.log).toMatch(/Choose another subnet with --bip.*no default bridge/);
    } finally {
      execFileSync('ip', ['link', 'del', `${bridge}q`]);
    }
  });

  test('starts containers that failed without it, once it is repaired', async () => {
    const { bridge } = supervisor;
    execFileSync('ip', ['link', 'del', bridge]);
    // The kernel does not support putting anything into this one, and what fails so is not tried again by itself.
    execFileSync('ip', ['link', 'add', bridge, 'type', 'veth', 'peer', 'name', `${bridge}p`]);
    try {
      supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER} }\n`);
      await supervisor.waitFor('web', 'failed', ({ message }) => message.includes('EOPNOTSUPP'));
      await until('a look that finds the bridge missing', () =>
        supervisor.log.includes('belongs not to this supervisor'),
      );
    } finally {
      execFileSync('ip', ['link', 'del', bridge]);
    }
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  });
});

describe('a host without libnftables', () => {
  const linkOf = (path: string): string => {
    try {
      return readlinkSync(path);
    } catch {
      return '';
    }
  };
  /** Column 2 of /proc/net/netlink is the protocol, 12 NETLINK_NETFILTER; the last one is the inode. */
  const isNetfilterSocket = (inode: string): boolean =>
    readFileSync('/proc/net/netlink', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .some((columns) => columns[1] === '12' && columns.at(-1) === inode);

  /** Hides the library in a mount namespace of the supervisor's own. */
  const HIDDEN =
    'for library in $(ldconfig -p | sed -n "s/.*=> //p" | grep libnftables); do mount --bind /dev/null "$library"; done; exec "$@"';

  test('reports it for containers with a network, and runs and removes the others', async () => {
    const bare = await new TestSupervisor([], ['unshare', '--mount', 'sh', '-c', HIDDEN, 'sh']).start();
    try {
      const file = bare.file(
        'app.yaml',
        `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER} }\n  alone: { image: busybox, network: none, command: ${FOREVER} }\n`,
      );
      await bare.cli('apply', '-f', file);
      await bare.waitFor('alone', 'ready', ({ ready }) => ready);
      const parked = await bare.waitFor('web', 'held back', ({ message }) => message.includes('libnftables'));
      expect(parked.phase).not.toBe('Running');
      // Each try and each look opens what it needs, and closes it.
      const isNetfilter = (fd: string) => {
        const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${bare.pid}/fd/${fd}`))?.[1];
        return inode !== undefined && isNetfilterSocket(inode);
      };
      expect(readdirSync(`/proc/${bare.pid}/fd`).filter(isNetfilter)).toEqual([]);
      const doctor = (await bare.cli('doctor')).stdout;
      expect(doctor).toContain('Install libnftables1');
      expect(doctor).toContain('There is no back end for iptables: each change here is one transaction');
      await bare.ok('delete', '-f', file, '--wait=2m');
      expect(bare.log).not.toContain('TsdError');
    } finally {
      await bare.destroy();
    }
  });
});

describe('state on disk', () => {
  test('follows Docker 1.4', async () => {
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER}, hostname: box }\n`,
    );
    const { id, address } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    const directory = join(supervisor.root, 'containers', id);
    // Files of a start reach the disk a moment after it is reported.
    const config = await until('the running state on disk', () => {
      const read = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'));
      return read.State.Running ? read : null;
    });
    expect(config).toMatchObject({ ID: id, Name: '/app-web', NetworkSettings: { IPAddress: address } });
    expect(readFileSync(join(directory, 'hostname'), 'utf8')).toBe('box\n');
    expect(readFileSync(join(directory, 'hosts'), 'utf8')).toContain(`${address}\tbox\n`);
  });
});
