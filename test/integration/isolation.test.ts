import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { armed } from '../support/armed.ts';
import { dockerArchive, findBusybox, tarOf } from '../support/images.ts';
import { BUSYBOX_IMAGE, FOREVER, IDLE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const TSDOCKER = resolve(import.meta.dirname, '../../bin/tsdocker');
const supervisor = new TestSupervisor();

beforeAll(async () => {
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.destroy();
});

/** Runs scripts to their end, one container each with the fields given, and returns what they printed. */
async function outputs(
  app: string,
  containers: Readonly<Record<string, { readonly fields?: string; readonly script: string }>>,
  head = '',
): Promise<Record<string, string>> {
  const lines = Object.entries(containers).map(
    ([name, { fields, script }]) =>
      `  ${name}: { image: busybox, command: ${shell(script)}${fields ? `, ${fields}` : ''} }\n`,
  );
  const file = supervisor.file(`${app}.yaml`, `${BUSYBOX_IMAGE}${head}containers:\n${lines.join('')}`);
  await supervisor.ok('apply', '--wait=2m', '-f', file);
  const found = Object.keys(containers).map(
    async (name) => [name, await supervisor.ok('logs', `${app}/${name}`)] as const,
  );
  return Object.fromEntries(await Promise.all(found));
}

/** Bits of capabilities(7) as /proc/self/status prints them. */
const mask = (...bits: number[]) =>
  bits
    .reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n)
    .toString(16)
    .padStart(16, '0');
const CAP_NET_ADMIN = 12;
const DOCKER_DEFAULT = '00000000a80425fb';

describe('a container', () => {
  test('lets an unprivileged user listen below port 1024 and ping in its own network', async () => {
    const ask = 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range; id -u';
    const listen =
      'nc -l -p 80 -e /bin/true & sleep 0.1; until nc 127.0.0.1 80 </dev/null; do sleep 0.1; done; echo heard';
    const found = await outputs('own', {
      bridge: { fields: 'user: "1000:1000"', script: `${ask}; ${listen}` },
      none: { fields: 'user: "1000:1000", network: none', script: `${ask}; ${listen}` },
      host: { fields: 'network: host', script: ask },
    });
    const ofHost = ['ip_unprivileged_port_start', 'ping_group_range'].map((name) =>
      readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8'),
    );
    expect(found.bridge).toBe('0\n0\t2147483647\n1000\nheard\n');
    expect(found.none).toBe('0\n0\t2147483647\n1000\nheard\n');
    expect(found.host).toBe(`${ofHost.join('')}0\n`);
  });

  test('has the names, files, rights and limits of its manifest', async () => {
    const status = 'grep -E "^(CapEff|NoNewPrivs)" /proc/self/status';
    const found = await outputs('self', {
      names: {
        fields:
          'hostname: box, domainname: example.com, dns: 192.0.2.53, dnsSearch: [example.org], extraHosts: ["gate:192.0.2.1"]',
        script: 'hostname; cat /proc/sys/kernel/domainname /etc/resolv.conf /etc/hosts',
      },
      plain: {
        script: `${status}; echo x > /proc/sys/kernel/domainname; mount -t tmpfs none /mnt; head -c 1 /proc/kcore | wc -c; ls /sys/firmware | wc -l; echo $$; true`,
      },
      bare: { fields: 'capabilities: { drop: [ALL], add: [NET_ADMIN] }, noNewPrivileges: true', script: status },
      mighty: {
        fields: 'privileged: true',
        script: 'mkdir /m; mount -t tmpfs none /m && echo mounted; test -c /dev/loop-control && echo devices',
      },
      fixed: {
        fields: 'readOnly: true, volumes: [{ type: tmpfs, target: /small, size: 1MiB }, "/keep"]',
        script: 'touch /x; touch /keep/x && echo kept; head -c 2m /dev/zero > /small/f; wc -c < /small/f',
      },
      device: {
        fields: 'devices: ["/dev/full:/dev/brimful:r"]',
        script: 'head -c 1 /dev/brimful | wc -c; echo x > /dev/brimful; ls /dev/full; true',
      },
      limited: {
        fields: 'resources: { ulimits: { nofile: "100:200", core: 0 } }',
        script: 'ulimit -n; ulimit -Hn; ulimit -c',
      },
      reaping: {
        fields: 'init: true',
        script:
          'echo $$; (sleep 0.05 &); while grep -q sleep /proc/[0-9]*/comm; do sleep 0.02; done; grep -l "State:.Z" /proc/[0-9]*/status | wc -l',
      },
      user: { fields: 'user: "1234:4321", workingDir: /work', script: 'id -u; id -g; pwd' },
      giver: { fields: 'volumes: ["/shared"]', script: 'echo from giver > /shared/note' },
    });
    expect(found.names).toMatch(/^box\nexample\.com\n/);
    expect(found.names).toContain('nameserver 127.0.0.11\n');
    expect(found.names).toContain('search example.org\n');
    expect(found.names).toContain('192.0.2.1\tgate\n');
    expect(found.plain).toBe(`CapEff:\t${DOCKER_DEFAULT}\nNoNewPrivs:\t0\n0\n0\n1\n`);
    expect(found.bare).toBe(`CapEff:\t${mask(CAP_NET_ADMIN)}\nNoNewPrivs:\t1\n`);
    expect(found.mighty).toBe('mounted\ndevices\n');
    expect(found.fixed).toBe(`kept\n${1024 * 1024}\n`);
    expect(found.device).toBe('1\n/dev/full\n');
    expect(found.limited).toBe('100\n200\n0\n');
    expect(found.reaping).toMatch(/^(?!1\n)\d+\n0\n$/);
    expect(found.user).toBe('1234\n4321\n/work\n');
  });

  test('shares volumes by volumesFrom, read-only where asked', async () => {
    const found = await outputs('sharing', {
      giver: { fields: 'volumes: ["/shared"]', script: 'echo from giver > /shared/note' },
      taker: {
        fields: 'volumesFrom: ["giver:ro"]',
        script: 'until cat /shared/note 2> /dev/null; do sleep 0.02; done; touch /shared/mine || echo refused',
      },
    });
    expect(found.taker).toBe('from giver\nrefused\n');
  });
});

describe('hosts, hostname and resolv.conf', () => {
  const names = '/etc/hosts /etc/hostname /etc/resolv.conf';
  const tamper = `for f in ${names}; do head -c 100000 /dev/zero >> $f || echo refused; chmod 666 $f || echo refused; done`;
  const run = (name: string, script: string) => supervisor.ok('exec', name, '--', 'busybox', 'sh', '-c', script);

  test('refuse writes with a read-only root, and are reset by the next run elsewhere', async () => {
    const container = (name: string, readOnly: boolean) =>
      `  ${name}: { image: busybox, command: ${FOREVER}, readOnly: ${readOnly} }\n`;
    const text = `${BUSYBOX_IMAGE}containers:\n${container('fixed', true)}${container('open', false)}`;
    await supervisor.ok('apply', '--wait=2m', '-f', supervisor.file('texts.yaml', text));
    const look = `cat ${names}; stat -c %a ${names}`;
    const before = await run('texts/open', look);
    expect(await run('texts/fixed', tamper)).toBe('refused\n'.repeat(6));
    expect(await run('texts/open', tamper)).toBe('');
    expect((await run('texts/open', look)).length).toBeGreaterThan(300_000);
    await supervisor.ok('stop', 'texts/open');
    await supervisor.ok('start', 'texts/open');
    expect(await run('texts/open', look)).toBe(before);
  });
});

describe('the node of a disk in an image', () => {
  test('exists but cannot be opened, however it got there', async () => {
    // A disk of the test's own: no harm is done where the container gets through.
    const content = supervisor.file('disk', Buffer.alloc(1024 * 1024, 'x'));
    const device = execFileSync('losetup', ['--find', '--show', content], { encoding: 'utf8' }).trim();
    onTestFinished(() => void execFileSync('losetup', ['--detach', device]));
    const { rdev } = statSync(device);
    const [major, minor] = [rdev >> 8, rdev & 0xff];
    const layer = tarOf(
      { path: 'bin/busybox', mode: 0o755, content: readFileSync(findBusybox() ?? '') },
      { path: 'evil/disk', type: 'block-device', mode: 0o666, major, minor },
      { path: 'evil/mem', type: 'character-device', mode: 0o666, major: 1, minor: 1 },
      { path: 'evil/null', type: 'character-device', mode: 0o666, major: 1, minor: 3 },
    );
    supervisor.file('evil.tar', dockerArchive({ layers: [layer] }));
    // How many bytes each gives; the last one is made by the container itself, which Docker allows.
    const read = `cd /evil; busybox mknod own b ${major} ${minor}; for node in disk mem own; do busybox head -c 1 $node | busybox wc -c; done; echo x > null && echo null; for node in disk mem own; do echo x >> $node || echo kept; done; true`;
    const head = 'images: { evil: { archive: ./evil.tar } }\n';
    const container = (name: string, fields = '') =>
      `  ${name}: { image: evil, command: ${shell(read.replace(fields === '' ? '' : /; echo x > null.*/, ''))}${fields} }\n`;
    const file = supervisor.file(
      'evil.yaml',
      `${head}containers:\n${container('plain')}${container('mighty', ', privileged: true')}`,
    );
    await supervisor.ok('apply', '--wait=2m', '-f', file);
    const { stdout, stderr } = await supervisor.cli('logs', 'evil/plain');
    expect(stderr.match(/Operation not permitted/g)).toHaveLength(6);
    expect(stdout).toBe('0\n0\n0\nnull\nkept\nkept\nkept\n');
    // The nodes are real ones: who may use all devices reads from the disk.
    expect((await supervisor.cli('logs', 'evil/mighty')).stdout.split('\n')[0]).toBe('1');
    expect(readFileSync(content, 'latin1')).toMatch(/^x+$/);
  });
});

describe('a terminal', () => {
  test('works for the payload and for exec -it', async () => {
    supervisor.drop(
      'terminal.yaml',
      `${BUSYBOX_IMAGE}containers:\n  screen: { image: busybox, command: ${shell(`test -t 1 && echo is a terminal; ${IDLE}`)}, tty: true, stdin: true }\n`,
    );
    await supervisor.waitFor('screen', 'ready', ({ ready }) => ready);
    await until('its log', async () => (await supervisor.ok('logs', 'screen')).includes('is a terminal\r\n'));
    const command = `${TSDOCKER} -H ${supervisor.socket} exec -it screen -- busybox sh -c "stty size; test -t 0 && echo yes; exit 5"`;
    const result = await new Promise<{ code: unknown; stdout: string }>((done) => {
      const child = execFile('script', ['-qec', command, '/dev/null'], (error, stdout) =>
        done({ code: error?.code ?? 0, stdout }),
      );
      child.stdin?.end();
    });
    expect(result.stdout).toContain('yes');
    expect(result.code).toBe(5);
  });
});

describe('stopping', () => {
  test('uses the signal and the timeout of the manifest', async () => {
    supervisor.drop(
      'stopping.yaml',
      `${BUSYBOX_IMAGE}containers:
  polite: { image: busybox, command: ${shell('trap "echo got USR1; exit 7" USR1; while :; do sleep 3600 & wait; done')}, stopSignal: SIGUSR1 }
  stubborn: { image: busybox, command: ${shell('trap "" TERM; while :; do sleep 3600 & wait; done')}, stopTimeout: 300ms }
`,
    );
    for (const [name, signal] of [
      ['polite', 'SIGUSR1'],
      ['stubborn', 'SIGTERM'],
    ] as const)
      await armed((await supervisor.waitFor(name, 'ready', ({ ready }) => ready)).pid, constants.signals[signal]);
    await supervisor.ok('stop', 'polite', 'stubborn');
    expect(await supervisor.container('polite')).toMatchObject({ phase: 'Exited', exitCode: 7 });
    expect(await supervisor.ok('logs', 'polite')).toBe('got USR1\n');
    expect(await supervisor.container('stubborn')).toMatchObject({ phase: 'Exited', exitCode: 137 });
  });
});

describe('the network of a container', () => {
  test("reaches neither the host's loopback nor containers of other networks", async () => {
    const host = createServer((_request, response) => response.end('host service\n'));
    await new Promise<void>((listening) => host.listen(0, '127.0.0.1', listening));
    const address = host.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const web = shell(`mkdir -p /www; echo service > /www/index.html; busybox httpd -p 80 -h /www; ${IDLE}`);
    try {
      supervisor.drop(
        'reach.yaml',
        `${BUSYBOX_IMAGE}networks: { left: {}, right: {} }
containers:
  server: { image: busybox, command: ${web}, network: left }
  near: { image: busybox, command: ${FOREVER}, network: left }
  far: { image: busybox, command: ${FOREVER}, network: right }
  default: { image: busybox, command: ${FOREVER} }
`,
      );
      for (const name of ['server', 'near', 'far', 'default'])
        await supervisor.waitFor(name, 'ready', ({ ready }) => ready);
      const server = (await supervisor.container('server'))?.address;
      const ask = async (from: string, where: string) =>
        (await supervisor.cli('exec', from, '--', 'busybox', 'wget', '-q', '-T', '1', '-O', '-', `http://${where}/`))
          .stdout;
      expect(await until('an answer in the same network', () => ask('near', `${server}`))).toBe('service\n');
      expect(await ask('far', `${server}`)).toBe('');
      expect(await ask('default', `${server}`)).toBe('');
      for (const target of ['127.0.0.1', `${supervisor.subnet}.1`]) {
        expect([target, await ask('default', `${target}:${port}`)]).toEqual([target, '']);
      }
    } finally {
      await new Promise((closed) => host.close(closed));
    }
  });
});
