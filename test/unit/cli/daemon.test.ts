import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { requireHost } from '../../../src/composition/preconditions.ts';
import { createGate } from '../../../src/ffi/files/gate.ts';
import { describeError } from '../../../src/model/errors/errors.ts';
import { loadDaemonConfig } from '../../../src/settings/daemon-config.ts';
import { SETTINGS } from '../../../src/settings/settings.ts';
import { tsdocker } from '../../support/api/in-process.ts';

const gate = createGate({ trusted: { users: null, groups: [0] } });
let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/tsd-test-daemon-');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function configFile(text: string): string {
  const path = join(directory, 'daemon.yaml');
  writeFileSync(path, text);
  return path;
}

/** What `tsdocker daemon` says to settings that it refuses; `--ip never` sees to it that none is ever started. */
async function refused(...argv: readonly string[]): Promise<string> {
  const { exitCode, stderr } = await tsdocker(['daemon', '--config', configFile(''), '--ip', 'never', ...argv]);
  expect(exitCode).toBe(1);
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('error: ') && !line.includes('never is not'))
    .join('\n');
}

function errorsOf(file: string): readonly string[] {
  const { errors } = loadDaemonConfig({ flags: {}, env: {}, configFile: file, gate });
  return (errors ?? []).map((error) => describeError(error).replaceAll(directory, 'DIR'));
}

function load(flags: Readonly<Record<string, unknown>>, env: Readonly<Record<string, string>> = {}, file = '') {
  const { config, errors } = loadDaemonConfig({ flags, env, configFile: configFile(file), gate });
  if (config === null) throw new Error(errors.map((error) => error.message).join('\n'));
  return config;
}

test('the defaults are complete', () => {
  expect({ ...load({}), configFile: undefined }).toMatchInlineSnapshot(`
    {
      "apiOverride": "refuse",
      "bip": null,
      "bridge": null,
      "configFile": undefined,
      "debug": false,
      "defaultAddressPool": [],
      "defaultBridge": "tsdocker0",
      "disableNetwork": false,
      "discardLimits": false,
      "dns": [],
      "dnsSearch": [],
      "execDriver": "native",
      "fixedCidr": null,
      "gcHigh": 85,
      "gcInterval": 300000,
      "gcLow": 80,
      "gcMinAge": 120000,
      "group": "tsdocker",
      "hostGatewayIp": [],
      "hosts": [
        "unix:///run/tsdocker/tsdocker.sock",
      ],
      "icc": true,
      "imageBudget": null,
      "insecureRegistry": [],
      "ip": "0.0.0.0",
      "ipForward": true,
      "ipMasq": true,
      "iptables": true,
      "ipv6": "auto",
      "keepGenerations": 10,
      "label": [],
      "logBudget": null,
      "logLevel": "info",
      "manifests": "/etc/tsdocker/manifests",
      "metrics": null,
      "mtu": 0,
      "pidfile": "/run/tsdocker/tsdocker.pid",
      "registryMirror": [],
      "remoteHttp": false,
      "restart": true,
      "root": "/var/lib/tsdocker",
      "runDir": "/run/tsdocker",
      "stopContainers": false,
      "storageDriver": null,
      "storageOpt": [],
      "tmpdir": null,
      "trustBase": null,
      "trustKey": null,
      "trustPolicy": null,
      "web": null,
    }
  `);
});

describe('where values come from', () => {
  test('a flag wins over the environment, and that over the file', () => {
    const file = 'root: /from-file\nmtu: 1400\ndns: [1.1.1.1]\nicc: false\n';
    const config = load({ root: '/from-flag' }, { TSDOCKER_ROOT: '/from-env', TSDOCKER_MTU: '1300' }, file);
    expect(config).toMatchObject({ root: '/from-flag', mtu: 1300, dns: ['1.1.1.1'], icc: false });
  });

  test('lists in the environment are separated by commas, empty variables count as unset', () => {
    expect(load({}, { TSDOCKER_DNS: '1.1.1.1, 8.8.8.8', TSDOCKER_BIP: '' })).toMatchObject({
      dns: ['1.1.1.1', '8.8.8.8'],
      bip: null,
    });
  });

  test('every flag has a variable of the environment', () => {
    for (const { flags, env } of Object.values(SETTINGS)) {
      const long = /--([a-z0-9-]+)/.exec(flags)?.[1] ?? '';
      // DOCKER_DRIVER in Docker.
      if (long === 'storage-driver') expect(env).toBe('TSDOCKER_DRIVER');
      else expect(env).toBe(`TSDOCKER_${long.toUpperCase().replaceAll('-', '_')}`);
    }
  });

  test('address pools are given by flags, one variable or the file', () => {
    const pools = [
      { base: '10.96.0.0/12', size: 24 },
      { base: 'fd00:1::/48', size: 64 },
    ];
    const texts = ['base=10.96.0.0/12,size=24', 'base=fd00:1::/48,size=64'];
    expect(load({ defaultAddressPool: texts }).defaultAddressPool).toEqual(pools);
    expect(load({ defaultAddressPool: texts.join(',') }).defaultAddressPool).toEqual(pools);
    expect(load({ defaultAddressPool: pools }).defaultAddressPool).toEqual(pools);
  });

  test('derived paths follow their base', () => {
    expect(load({ runDir: '/run/b' })).toMatchObject({
      hosts: ['unix:///run/b/tsdocker.sock'],
      pidfile: '/run/b/tsdocker.pid',
    });
    expect(load({ pidfile: '' }).pidfile).toBeNull();
  });
});

describe('rules of Docker 1.4', () => {
  test('-b none switches the network off, and so does iptables=false with masquerading', () => {
    expect(load({ bridge: 'none' })).toMatchObject({ bridge: null, disableNetwork: true });
    expect(load({ iptables: 'false' })).toMatchObject({ iptables: false, ipMasq: false, icc: true });
    expect(load({ debug: true, logLevel: 'error' }).logLevel).toBe('debug');
  });

  test.each([
    [
      ['-b', 'br0', '--bip', '10.9.0.1/16'],
      '--bip: You specified -b & --bip, mutually exclusive options. Please specify only one.',
    ],
    [
      ['--iptables=false', '--icc=false'],
      '--icc: You specified --iptables=false with --icc=false. ICC uses iptables to function. Please set --icc or --iptables to true.',
    ],
    [['-l', 'loud'], '-l: Unable to parse logging level: loud'],
    [['--dns', '8.8.8'], '--dns: 8.8.8 is not an ip address'],
    [['--dns-search', '-a'], '--dns-search: -a is not a valid domain'],
    [['--dns-search', '10.20'], '--dns-search: 10.20 is not a valid domain'],
    [['--ip', 'any'], '--ip: any is not an ip address'],
    [
      ['--default-address-pool', 'base=10.0.0.0/8,size=4'],
      '--default-address-pool: "base=10.0.0.0/8,size=4": the size is the prefix length of a network, 8 to 30 here',
    ],
    [['--ipv6', 'maybe'], '--ipv6: must be true, false or auto'],
    [['--label', 'a=b=c'], '--label: bad attribute format: a=b=c'],
    [['--bip', '10.9.0.1'], '--bip: invalid CIDR address: 10.9.0.1'],
    [['--bip', '10.9.0.0/16'], '--bip: must be an address of a host in its subnet, for example 10.90.0.1/16'],
    [['--fixed-cidr', '10.9.0.0/33'], '--fixed-cidr: invalid CIDR address: 10.9.0.0/33'],
    [
      ['--bip', '10.9.0.1/16', '--fixed-cidr', '10.10.0.0/24'],
      "--fixed-cidr: 10.10.0.0/24 does not lie within the bridge's subnet 10.9.0.1/16",
    ],
    [['--mtu', '12'], '--mtu: must be 0 or between 68 and 65535'],
    [['--mtu', 'big'], '--mtu: must be a number'],
    [['--icc=perhaps'], '--icc: must be true or false'],
    [
      ['--trust-base', 'http://trust.example/official.json'],
      '--trust-base: http://trust.example/official.json is no https address; http is for this host alone',
    ],
    [['--trust-base', 'official'], '--trust-base: official is no https address; http is for this host alone'],
    [
      ['--default-bridge', 'a-name-that-is-too-long'],
      '--default-bridge: a-name-that-is-too-long is no interface name: at most 15 characters, without spaces, colons and slashes',
    ],
    [
      ['-H', 'localhost'],
      '-H: Invalid bind address format: localhost; Write unix:///path/to/socket, for example unix:///run/tsdocker/tsdocker.sock.',
    ],
  ])('%j', async (argv, message) => {
    expect(await refused(...argv)).toBe(`error: ${message}`);
  });

  test.each([
    ['--dns-search', '.'],
    ['--dns-search', 'corp.example.'],
    ['--bip', '192.168.5.1/24'],
    ['--ip', '::1'],
  ])('%s %s is accepted', (flag, value) => {
    const name = flag === '--dns-search' ? 'dnsSearch' : flag.slice(2);
    expect(() => load({ [name]: flag === '--dns-search' ? [value] : value })).not.toThrow();
  });
});

test('all problems are reported at once, each with its origin', async () => {
  const file = configFile('root: rel\nruntime: x\nmtu: -4\n');
  const { exitCode, stderr } = await tsdocker(['daemon', '--config', file, '--dns', 'x', '--dns', 'y'], {
    env: { TSDOCKER_IP: 'z' },
  });
  expect(exitCode).toBe(1);
  expect(stderr.replaceAll(directory, 'DIR')).toMatchInlineSnapshot(`
    "error: DIR/daemon.yaml:1:7: must be an absolute path
    error: DIR/daemon.yaml:3:6: must be 0 or between 68 and 65535
    error: TSDOCKER_IP: z is not an ip address
    error: --dns: x is not an ip address
    error: --dns: y is not an ip address
    error: DIR/daemon.yaml:2:10: there is no setting runtime
    hint: See \`tsdocker daemon --help\`.
    "
  `);
});

test('an invalid config file is refused', () => {
  expect(errorsOf(configFile('a: [1\nb: 2'))).toMatchInlineSnapshot(`
    [
      "DIR/daemon.yaml:2:1: Flow sequence in block collection must be sufficiently indented and end with a ]",
    ]
  `);
  expect(errorsOf(configFile('- 1'))).toMatchInlineSnapshot(`
    [
      "DIR/daemon.yaml:1:1: the file must be a mapping of settings to values",
    ]
  `);
  expect(errorsOf(join(directory, 'none.yaml'))).toMatchInlineSnapshot(`
    [
      "cannot read DIR/none.yaml: ENOENT: no such file or directory, open 'DIR/none.yaml'",
    ]
  `);
});

describe('words of Docker', () => {
  test('-g sets the root, DOCKER_TMPDIR the temporary directory, and our names win', async () => {
    expect(load({}, { DOCKER_TMPDIR: '/docker' }).tmpdir).toBe('/docker');
    expect(load({}, { DOCKER_TMPDIR: '/docker', TSDOCKER_TMPDIR: '/ours' }).tmpdir).toBe('/ours');
    expect(await refused('-g', './here')).toBe('');
    expect((await tsdocker(['daemon', '-g', '/one', '--root', '/two'])).stderr).toContain('name two different values');
  });

  test('-d before any command runs the daemon with the flags around it', async () => {
    for (const words of [
      ['-d', '--ip', 'never'],
      ['--ip', 'never', '-g', '/x', '--daemon'],
      ['-D', '-d', '--ip=never'],
    ]) {
      const { exitCode, stderr } = await tsdocker(words);
      expect(stderr).toContain('never is not an ip address');
      expect(exitCode).toBe(1);
    }
    // Behind a command, or as the value of a flag, it is none of this.
    expect((await tsdocker(['version', '-d'])).exitCode).toBe(64);
    expect((await tsdocker(['--graph', '-d', 'version'])).exitCode).toBe(64);
  });

  test('--selinux-enabled is refused without labels, and false is accepted', async () => {
    expect(await refused('--selinux-enabled')).toContain('SELinux labels are not put on containers yet');
    expect(await refused('--selinux-enabled=false')).toBe('');
  });
});

describe('a host that cannot run containers', () => {
  test.each([
    ['6.7.12-amd64', 'x64', 'Linux 6.7.12-amd64 is too old'],
    ['5.10.0', 'x64', 'Linux 5.10.0 is too old'],
    ['6.12.0', 'ia32', 'architecture ia32 is not supported'],
  ] as const)('%s on %s is refused with its requirement', (kernel, architecture, message) => {
    const refusal = (): void => requireHost(kernel, architecture as NodeJS.Architecture);
    expect(refusal).toThrow(expect.objectContaining({ code: 'TSD_UNSUPPORTED_HOST', class: 'unsupported' }));
    expect(refusal).toThrow(message);
  });

  test.each(['6.8.0', '6.12.48+deb13-amd64', '7.0.0-rc1'])('%s is accepted', (kernel) => {
    for (const architecture of ['x64', 'arm64'] as const) requireHost(kernel, architecture);
  });
});

test('an unexpected argument is a usage error', async () => {
  const { exitCode, stderr } = await tsdocker(['daemon', 'now']);
  expect([exitCode, stderr]).toMatchInlineSnapshot(`
    [
      64,
      "error: too many arguments for 'daemon'. Expected 0 arguments but got 1.
    hint: \`tsdocker daemon --help\` shows its arguments.
    ",
    ]
  `);
});

describe('a path on the command line', () => {
  test.each(['--root', '--run-dir', '--manifests', '--pidfile', '--trust-policy'])(
    '%s can be relative',
    async (flag) => {
      expect(await refused(flag, './here')).toBe('');
    },
  );

  test('starts at the working directory of the command', async () => {
    configFile('mtu: -4\n');
    const { stderr } = await tsdocker(['daemon', '--config', 'daemon.yaml'], { cwd: directory });
    expect(stderr).toContain(`${join(directory, 'daemon.yaml')}:1:6: must be 0 or`);
  });
});
