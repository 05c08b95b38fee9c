/**
 * Firewalls of others on this host, the real programs: dockerd, ufw and firewalld, each with a supervisor beside it in a
 * network of its own. They stay in charge: what they drop stays dropped, their rules are as without us, and ours as without them.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inNetns } from '../../src/ffi/process/namespaces.ts';
import {
  blocked,
  enterPrivateHost,
  HOST_ADDRESS,
  OUTSIDE_ADDRESS,
  reaches,
  serve,
  shell,
  stopServers,
} from '../contract/network/private-host.ts';
import { BUSYBOX_IMAGE, IDLE, shell as inShell } from '../support/manifests.ts';
import { OwnServices } from '../support/own-services.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const [HOST6, OUTSIDE6] = ['fd00:198:51::1', 'fd00:198:51::2'];
const FAMILIES = { ipv4: { host: HOST_ADDRESS, outside: OUTSIDE_ADDRESS }, ipv6: { host: HOST6, outside: OUTSIDE6 } };
const [PORT, THEIR_PORT, OUTSIDE_PORT] = [8080, 8081, 8090];
const BRIDGE = 'tsdfw0';

const isInstalled = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
/** Says which program is missing: bootstrap.sh installs them all. */
const suite = (...programs: readonly string[]) => {
  const missing = programs.filter((program) => !isInstalled(program));
  return { name: missing.length === 0 ? '' : ` (not installed: ${missing.join(', ')})`, run: missing.length === 0 };
};

/** Starts the supervisor with a /sys that shows the interfaces of its network; control groups are the host's. */
const OWN_SYS =
  'mount --rbind /sys/fs/cgroup /mnt && mount -t sysfs sysfs /sys && mount --rbind /mnt /sys/fs/cgroup && umount -l /mnt && exec "$@"';
const LAUNCHER = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', OWN_SYS, 'sh'];

let outside: number;
let supervisor: TestSupervisor;
let services: OwnServices;

beforeEach(async () => {
  outside = enterPrivateHost();
  shell(`ip addr add ${HOST6}/64 dev uplink nodad; ip route add default via ${OUTSIDE_ADDRESS}`);
  shell(`ip -6 route add default via ${OUTSIDE6}`);
  inNetns(outside, () => shell(`ip addr add ${OUTSIDE6}/64 dev wire nodad`));
  services = await new OwnServices().open();
  supervisor = new TestSupervisor([], LAUNCHER);
});

afterEach(async () => {
  stopServers();
  try {
    await supervisor.destroy();
  } finally {
    await services.close();
  }
});

/** A container with a port in both families, and a server on another machine. */
async function startOurs(): Promise<void> {
  await supervisor.start();
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}networks: { n: { bridgeName: ${BRIDGE}, ipv6: true } }
containers:
  web:
    image: busybox
    command: ${inShell(`mkdir /www; echo ours >/www/index.html; busybox httpd -p [::]:80 -h /www; ${IDLE}`)}
    network: n
    ports: ["${PORT}:80"]
    stopTimeout: 1s
`,
  );
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  for (const any of ['0.0.0.0', '::']) serve(outside, OUTSIDE_PORT, any);
}

const isPublished = (): boolean => Object.values(FAMILIES).every(({ host }) => reaches(outside, host, PORT));

/** Whether a container connects to a machine outside. */
async function leaves(address: string): Promise<boolean> {
  const to = ['-w', '1', address, String(OUTSIDE_PORT)];
  return (await supervisor.cli('exec', 'web', 'busybox', 'nc', ...to)).status === 0;
}

const areOutside = async (): Promise<boolean> => (await leaves(OUTSIDE_ADDRESS)) && (await leaves(OUTSIDE6));

async function works(what: string): Promise<void> {
  await until(`${what}: ports answer`, isPublished);
  await until(`${what}: containers reach outside`, areOutside);
}

const ours = (): string =>
  ['inet', 'bridge'].map((family) => shell(`nft -s list table ${family} tsd-${supervisor.instance}`)).join('');

/** Rules of this host that are not ours, by table and chain; what is ours in tables of others is left out. */
function theirs(): Record<string, string[]> {
  const chains: Record<string, string[]> = {};
  let [table, chain] = ['', ''];
  for (const line of shell('nft -s list ruleset 2>/dev/null').split('\n')) {
    if (line.startsWith('table ')) [table, chain] = [line, ''];
    else if (/^\t(chain|set|map) /.test(line)) chain = line.trim();
    if (/ tsd-/.test(table) || / tsd-/.test(chain) || /^\s*\}?$/.test(line)) continue;
    if (!line.includes('jump tsd-'))
      chains[`${table} ${chain}`] = [...(chains[`${table} ${chain}`] ?? []), line.trim()];
  }
  return chains;
}

const jumps = (): number => shell('nft list ruleset 2>/dev/null').match(/jump tsd-/g)?.length ?? 0;

describe(`ufw${suite('ufw', 'iptables').name}`, () => {
  const ufw = (...args: readonly string[]): string => services.run('ufw', ...args);

  test.runIf(suite('ufw', 'iptables').run)('drops what is forwarded by default, and decides on ours', async () => {
    ufw('--force', 'enable');
    // Some rules for IPv6 are there from its second load on.
    ufw('reload');
    expect(ufw('status', 'verbose')).toMatch(/deny \(incoming\)/);
    expect(shell('nft list chain ip6 filter FORWARD')).toContain('policy drop');
    const alone = theirs();
    await startOurs();
    await works('after ufw');
    expect(theirs()).toEqual(alone);
    expect(jumps()).toBe(2);
    const before = ours();

    // Its rules come first.
    ufw('route', 'deny', 'proto', 'tcp', 'from', OUTSIDE_ADDRESS);
    await until('ufw drops', () => blocked(outside, HOST_ADDRESS, PORT));
    expect(reaches(outside, HOST6, PORT)).toBe(true);
    ufw('route', 'delete', 'deny', 'proto', 'tcp', 'from', OUTSIDE_ADDRESS);
    await works('after a rule of ufw');

    ufw('reload');
    await works('after a reload');
    expect(theirs()).toEqual(alone);
    expect(ours()).toBe(before);

    ufw('--force', 'disable');
    await until('nothing of ours where nothing drops', () => jumps() === 0);
    expect(isPublished()).toBe(true);
    ufw('--force', 'enable');
    await works('enabled again');
    expect(theirs()).toEqual(alone);
    expect(ours()).toBe(before);
  });
});

describe(`dockerd${suite('dockerd', 'docker', 'iptables').name}`, () => {
  const SOCKET = 'unix:///run/docker-beside.sock';
  const docker = (...args: readonly string[]): string => services.run('docker', '-H', SOCKET, ...args);

  function startDocker(): Promise<void> {
    const at = '/run/docker-beside';
    const own = ['--data-root', `${at}/data`, '--exec-root', `${at}/exec`, '--pidfile', `${at}.pid`, '-H', SOCKET];
    const isUp = (): boolean => {
      try {
        docker('info');
        return true;
      } catch {
        return false;
      }
    };
    return services.start('dockerd', isUp, 'dockerd', ...own, '--bip', '172.29.9.1/24', '--storage-driver', 'vfs');
  }

  /** An image of busybox alone. */
  function image(): string {
    const made =
      'cd $(mktemp -d) && mkdir bin && cp $(command -v busybox) bin/ && tar -c . | docker -H "$0" import - neighbour';
    services.run('sh', '-c', made, SOCKET);
    return 'neighbour';
  }

  async function neighbourWorks(): Promise<void> {
    await until('a port of dockerd answers', () => reaches(outside, HOST_ADDRESS, THEIR_PORT));
    const connect = ['busybox', 'nc', '-w', '1', OUTSIDE_ADDRESS, String(OUTSIDE_PORT)];
    await services.done('docker', '-H', SOCKET, 'exec', 'neighbour', ...connect);
  }

  const rule = (program: string, ...args: readonly string[]): string => services.run(program, ...args);

  test.runIf(suite('dockerd', 'docker', 'iptables').run)(
    'runs containers beside ours, and DOCKER-USER decides',
    async () => {
      await startDocker();
      // It switched forwarding on itself, and then drops all that it does not know.
      expect(shell('nft list chain ip filter FORWARD')).toContain('policy drop');
      docker(
        'run',
        '-d',
        '--stop-signal',
        'KILL',
        '--name',
        'neighbour',
        '-p',
        `${THEIR_PORT}:80`,
        image(),
        'busybox',
        'httpd',
        '-f',
        '-p',
        '80',
        '-h',
        '/',
      );
      const alone = theirs();
      await startOurs();
      await works('after dockerd');
      await neighbourWorks();
      expect(theirs()).toEqual(alone);
      const before = ours();

      rule('iptables', '-I', 'DOCKER-USER', '-s', OUTSIDE_ADDRESS, '-j', 'DROP');
      expect(blocked(outside, HOST_ADDRESS, PORT)).toBe(true);
      rule('iptables', '-D', 'DOCKER-USER', '-s', OUTSIDE_ADDRESS, '-j', 'DROP');
      await works('after a rule of DOCKER-USER');

      // Behind our jump, which then moves.
      rule('iptables', '-I', 'DOCKER-USER', '2', '-s', OUTSIDE_ADDRESS, '-j', 'DROP');
      await until('a later rule drops too', () => blocked(outside, HOST_ADDRESS, PORT));
      rule('iptables', '-D', 'DOCKER-USER', '-s', OUTSIDE_ADDRESS, '-j', 'DROP');

      await services.stop('dockerd');
      await works('without dockerd');
      await startDocker();
      docker('start', 'neighbour');
      await works('dockerd started again');
      await neighbourWorks();
      expect(theirs()).toEqual(alone);
      expect(ours()).toBe(before);
    },
  );
});

describe(`firewalld${suite('firewalld', 'firewall-cmd', 'dbus-daemon').name}`, () => {
  const firewallCmd = (...args: readonly string[]): string => services.run('firewall-cmd', ...args);
  const isUp = (): boolean => {
    try {
      return firewallCmd('--state') !== '';
    } catch {
      return false;
    }
  };

  test.runIf(suite('firewalld', 'firewall-cmd', 'dbus-daemon').run)(
    'lets published ports in, and decides what goes out',
    async () => {
      await services.start('dbus', () => existsSync('/proc'), 'dbus-daemon', '--system', '--nofork', '--nopidfile');
      await services.start('firewalld', isUp, 'firewalld', '--nofork', '--nopid');
      const alone = theirs();
      await startOurs();
      await until('ports answer', isPublished);
      expect(theirs()).toEqual(alone);
      const before = ours();

      // Its default zone rejects; doctor has the command.
      expect(await areOutside()).toBe(false);
      const command = '--permanent --zone=trusted --add-interface=';
      expect((await supervisor.cli('doctor')).stdout).toContain(`firewall-cmd ${command}BRIDGE`);
      firewallCmd(...`${command}${BRIDGE}`.split(' '));
      firewallCmd('--reload');
      await works('in a zone that lets it out');
      expect(ours()).toBe(before);

      firewallCmd('--complete-reload');
      await works('after a reload');
      expect(ours()).toBe(before);
      await services.stop('firewalld');
      await works('without firewalld');
      expect(ours()).toBe(before);
    },
  );
});
