/** docs/compat.md is whole and true: nothing of the reference is missing, and what it names exists. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../src/cli/commands.ts';
import { BUILTINS } from '../../../src/composition/builtins.ts';
import { EXEC_DRIVERS, GRAPH_DRIVERS, NETWORK_DRIVERS } from '../../../src/drivers/registry.ts';
import { SETTINGS } from '../../../src/settings/settings.ts';

interface Row {
  readonly section: string;
  readonly docker: string;
  /** What answers it, and where there is a column for it, Docker's way. */
  readonly here: string;
  readonly test: string;
}

const TEXT = readFileSync('docs/compat.md', 'utf8');

function rowsOf(text: string): Row[] {
  let section = '';
  return text.split('\n').flatMap((line) => {
    section = /^## (.*)$/.exec(line)?.[1] ?? section;
    if (!line.startsWith('| ') || line.startsWith('| Docker 1.4 |')) return [];
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    return [{ section, docker: cells[0] ?? '', here: cells.slice(1, -1).join(' '), test: cells.at(-1) ?? '' }];
  });
}

const ROWS = rowsOf(TEXT);
const of = (number: number): Row[] => ROWS.filter(({ section }) => section.startsWith(`S${number} `));
const docker = (rows: readonly Row[]): string => rows.map((row) => row.docker).join('\n');
const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);

/** docker/flags.go, docker/docker.go and daemon/config.go of v1.4.1: flags, then fields that have no flag of the same name. */
const FLAGS =
  'daemon debug version log-level host group api-enable-cors tls tlsverify tlscacert tlscert tlskey pidfile graph restart ' +
  'iptables ip-forward ip-masq icc bip bridge fixed-cidr ip mtu dns dns-search registry-mirror insecure-registry label ' +
  'storage-driver storage-opt exec-driver selinux-enabled';
const FIELDS =
  'Pidfile Root AutoRestart Dns DnsSearch Mirrors EnableIptables EnableIpForward EnableIpMasq DefaultIp BridgeIface ' +
  'BridgeIP FixedCIDR InsecureRegistries InterContainerCommunication GraphDriver GraphOptions ExecDriver Mtu ' +
  'DisableNetwork EnableSelinuxSupport Context TrustKeyPath Labels EnableCors SocketGroup';
/** builtins, registry, daemon.Install, TagStore, trust, builder and the bridge of v1.4.1. */
const JOBS =
  'init_networkdriver serveapi acceptconnections events log subscribers_count version commands auth search attach commit ' +
  'container_changes container_copy container_inspect containers create rm export info kill logs pause resize restart ' +
  'start stop top unpause wait image_delete execCreate execStart execResize execInspect image_set image_tag tag image_get ' +
  'image_inspect image_tarlayer image_export history images viz load import pull push trust_key_check trust_update_base ' +
  'build allocate_interface release_interface allocate_port link';
const STORES =
  'containers/ID/config.json hostconfig.json hostname hosts resolv.conf ID-json.log graph/ID/json layersize graph/_tmp ' +
  'repositories-DRIVER volumes/ID/config.json vfs/dir/ID linkgraph.db execdriver/native/ID/state.json container.json ' +
  'trust/official.json init/dockerinit-VERSION tmp/';
const DRIVERS: readonly (readonly [number, string])[] = [
  [11, 'aufs btrfs devicemapper vfs overlay'],
  [12, 'bridge none host container:NAME'],
  [14, 'native lxc'],
];
const COMMAND_NAMES =
  'attach build commit cp create diff events exec export history images import info inspect kill load login logout logs ' +
  'port pause ps pull push restart rm rmi run save search start stop tag top unpause version wait';

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
const words = (text: string): string[] => text.split(' ');

describe('nothing of the reference is missing:', () => {
  const NAMED: readonly (readonly [string, readonly string[], number])[] = [
    ['flags', words(FLAGS).map((flag) => `\`--${flag}\``), 7],
    ['settings', words(FIELDS), 7],
    ['jobs', words(JOBS).map((job) => `\`${job}\``), 6],
    ['files', words(STORES), 9],
    ['commands', words(COMMAND_NAMES), 20],
    ...DRIVERS.map(([section, names]) => ['drivers', words(names), section] as const),
  ];
  test.each(NAMED)('%s', (_what, names, section) => {
    const text = docker(of(section));
    expect(names.filter((name) => !new RegExp(`(?<![\\w-])${escaped(name)}(?![\\w-])`).test(text))).toEqual([]);
  });

  test('sections S1 to S24', () => {
    for (let section = 1; section <= 24; section++) expect(of(section).length, `S${section}`).toBeGreaterThan(0);
  });
});

describe('what the page names exists:', () => {
  const FILE = /(?<![\w/.])(?:src|test|docs|packaging|shim)\/[\w./-]+\.\w+/g;

  test('files', () => {
    const named = new Set([...TEXT.matchAll(FILE)].map(([path]) => path));
    expect(named.size).toBeGreaterThan(50);
    expect([...named].filter((path) => !existsSync(path))).toEqual([]);
  });

  test('a test for each row, but for what is not there', () => {
    const absent = /^(not there|none)\b/;
    const untested = ROWS.filter(
      ({ here, test: cell }) => !/`test\//.test(cell) && !(cell === '–' && absent.test(here)),
    );
    expect(untested).toEqual([]);
  });

  test('flags', () => {
    const flags = Object.values(SETTINGS).flatMap((setting) => [
      setting.flags,
      'alias' in setting ? setting.alias : '',
    ]);
    const known = new Set(flags.flatMap((text) => [...text.matchAll(/--?[A-Za-z-]+/g)].map(([flag]) => flag)));
    const named = ROWS.flatMap(({ here }) => quoted(here))
      .filter((code) => code.startsWith('-'))
      .map((code) => code.split(/[ =]/)[0] ?? '');
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((flag) => !known.has(flag))).toEqual([]);
  });

  test('commands', () => {
    const known = new Set(COMMANDS.map(({ name }) => name));
    const named = ROWS.flatMap(({ here }) => quoted(here))
      .filter((code) => code.startsWith('tsdocker '))
      .map((code) => code.split(' ')[1] ?? '')
      .filter((word) => !word.startsWith('-'));
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test('jobs', () => {
    const known = new Set(BUILTINS.flatMap(({ jobs }) => jobs.map(({ name }) => name)));
    const same = ROWS.filter(({ here }) => here.startsWith('the jobs of the same name')).flatMap(({ docker: row }) =>
      quoted(row),
    );
    const named = ROWS.flatMap(({ here }) =>
      [...here.matchAll(/\b(?:job|op) `([^` ]+)[^`]*`/g)].map(([, name = '']) => name),
    );
    expect(named.length + same.length).toBeGreaterThan(30);
    expect([...named, ...same].filter((name) => !known.has(name) && name !== 'NAME')).toEqual([]);
  });

  test('drivers', () => {
    const named = ROWS.flatMap(({ here }) => [...here.matchAll(/(?:^|, )driver ([a-z]+)/g)].map(([, name]) => name));
    const known = [GRAPH_DRIVERS, NETWORK_DRIVERS, EXEC_DRIVERS].flatMap((drivers) => Object.keys(drivers));
    expect(named.filter((name) => !known.includes(name ?? ''))).toEqual([]);
  });
});

/** Parts whose rows run through the engine: their tests make jobs. */
test.each([1, 2, 3, 4, 5, 6, 18, 22, 24])('each row of S%i has a test with jobs of the engine', (section) => {
  const jobless = of(section).flatMap(({ docker: row, here, test: cell }) => {
    // Said to be missing; what does its work meanwhile is no job.
    if (/^none yet\b/.test(here)) return [];
    const files = quoted(cell).filter((path) => path.startsWith('test/'));
    const runs = files.some((path) =>
      /\bEngine\b|['"]job['"]|\+job |trapSignals|ShutdownHandlers/.test(readFileSync(path, 'utf8')),
    );
    return runs ? [] : [row];
  });
  expect(jobless).toEqual([]);
});
