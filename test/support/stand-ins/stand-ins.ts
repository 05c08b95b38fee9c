/** Images under public names, made of this host's packages: see README.md. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { REGISTRY_INSTALLED, RegistryServer } from '../registry.ts';
import { TestSupervisor } from '../supervisor.ts';

const CACHE = '/var/tmp/tsdocker-stand-ins';
const SOURCES = import.meta.dirname;
const POSTGRES = '/usr/lib/postgresql';
/** Debian's packages whose programs are in the images. */
const PACKAGES = [
  'busybox-static',
  'docker-registry',
  'nginx-light',
  'postgresql',
  'prometheus',
  'redis-server',
  'util-linux',
];
const APPLETS = [
  '[',
  'cat',
  'chmod',
  'chown',
  'env',
  'id',
  'ln',
  'ls',
  'mkdir',
  'rm',
  'sed',
  'sh',
  'sleep',
  'test',
  'wget',
];

interface StandIn {
  /** As a manifest names it, without tag. */
  readonly name: string;
  /** `name:x:uid:gid` lines of its users beside root. */
  readonly users: readonly string[];
}

const STAND_INS: Readonly<Record<string, StandIn>> = {
  gitea: { name: 'gitea/gitea', users: ['git:x:1000:1000'] },
  grafana: { name: 'grafana/grafana', users: ['grafana:x:472:0'] },
  nginx: { name: 'library/nginx', users: ['nginx:x:101:101'] },
  postgres: { name: 'library/postgres', users: ['postgres:x:999:999'] },
  prometheus: { name: 'prom/prometheus', users: ['nobody:x:65534:65534'] },
  redis: { name: 'library/redis', users: ['redis:x:999:999'] },
  registry: { name: 'library/registry', users: [] },
};

/** Why the images cannot be made here; null when they can. */
export function missingForStandIns(): string | null {
  const missing = PACKAGES.filter((name) => versionOf(name) === '');
  if (!REGISTRY_INSTALLED || missing.length > 0) return `needs ${missing.join(', ')}`;
  return null;
}

/** Of a Debian package; empty where it is not installed. */
function versionOf(name: string): string {
  const { stdout } = spawnSync('dpkg-query', ['--status', name], { encoding: 'utf8' });
  const isInstalled = /^Status: install ok installed$/m.test(stdout);
  return isInstalled ? (/^Version: (.*)$/m.exec(stdout)?.[1] ?? '') : '';
}

/** `/usr/lib/postgresql/17` of the newest that is installed. */
function postgresHome(): string {
  const [newest = ''] = readdirSync(POSTGRES).sort((a, b) => Number(b) - Number(a));
  return join(POSTGRES, newest);
}

/**
 * A registry on loopback that serves the images of manifests, each by the tag that the manifest names. They are made once
 * and kept.
 * @param references `postgres:17.6`, as manifests name them.
 */
export async function serveStandIns(references: readonly string[]): Promise<RegistryServer> {
  const kept = join(CACHE, keyOf(references));
  if (!existsSync(kept)) {
    mkdirSync(CACHE, { recursive: true });
    const storage = mkdtempSync(join(CACHE, 'new-'));
    try {
      await build(storage, references);
      renameSync(storage, kept);
    } catch (error) {
      rmSync(storage, { recursive: true, force: true });
      // Another run may have made it meanwhile.
      if (!existsSync(kept)) throw error;
    }
  }
  return new RegistryServer().start({ storage: kept });
}

/** Changes with everything that is in the images. */
function keyOf(references: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify([references, process.version, PACKAGES.map(versionOf)]));
  for (const entry of readdirSync(SOURCES, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) hash.update(entry.name).update(readFileSync(join(entry.parentPath, entry.name)));
  }
  return hash.digest('hex').slice(0, 16);
}

async function build(storage: string, references: readonly string[]): Promise<void> {
  const registry = await new RegistryServer().start({ storage });
  const supervisor = await new TestSupervisor().start();
  try {
    const wanted = Object.entries(STAND_INS).flatMap(([directory, { name }]) =>
      references
        .map(fullName)
        .filter((reference) => reference.startsWith(`${name}:`))
        .map((reference) => ({ directory, reference })),
    );
    for (const { directory } of wanted) writeContext(supervisor.base, directory);
    const manifest = supervisor.file(
      'stand-ins.yaml',
      JSON.stringify({ images: declarations(wanted.map(({ directory }) => directory)) }),
    );
    await supervisor.ok('apply', '--wait=180s', '-f', manifest);
    await Promise.all(
      wanted.map(async ({ directory, reference }) => {
        await supervisor.ok('tag', `stand-ins/${directory}`, `${registry.host}/${reference}`);
        await supervisor.ok('push', `${registry.host}/${reference}`);
      }),
    );
  } finally {
    await supervisor.destroy();
    await registry.stop();
  }
}

const fullName = (reference: string): string => (reference.includes('/') ? reference : `library/${reference}`);

/** Images of the host, and what is built on them. */
function declarations(directories: readonly string[]): Record<string, object> {
  const home = postgresHome();
  const bin = (name: string): string => join(home, 'bin', name);
  const version = home.slice(POSTGRES.length + 1);
  const host = (binaries: readonly string[], ...paths: readonly string[]) => ({ host: { binaries, paths } });
  // Of its modules those that initdb asks for.
  const modules = ['dict_snowball.so', 'plpgsql.so'].map((name) => join(home, 'lib', name));
  const server = ['postgres', 'initdb', 'pg_ctl', 'psql', 'pg_isready'].map(bin);
  return {
    'postgres-base': host(
      [...server, 'busybox', 'setpriv'],
      ...modules,
      `/usr/share/postgresql/${version}`,
      '/usr/share/zoneinfo',
      '/usr/lib/locale/C.utf8',
    ),
    'psql-base': host([bin('psql'), 'setpriv']),
    'redis-base': host(['redis-server', 'redis-cli', 'busybox', 'setpriv']),
    'nginx-base': host(['nginx', 'busybox'], '/etc/nginx/mime.types'),
    'registry-base': host(['docker-registry', 'busybox']),
    'prometheus-base': host(['prometheus', 'busybox']),
    'node-base': host(['node', 'busybox']),
    ...Object.fromEntries(
      directories.map((name) => [name, { build: { context: `./${name}`, args: { PG_BIN: join(home, 'bin') } } }]),
    ),
  };
}

/** The sources of a stand-in, with a shell's programs and its users below root/. */
function writeContext(base: string, name: string): void {
  const context = join(base, name);
  cpSync(join(SOURCES, name), context, { recursive: true });
  for (const directory of ['usr/bin', 'etc']) mkdirSync(join(context, 'root', directory), { recursive: true });
  for (const applet of APPLETS) symlinkSync('busybox', join(context, 'root/usr/bin', applet));
  const users = ['root:x:0:0', ...(STAND_INS[name]?.users ?? [])];
  writeFileSync(join(context, 'root/etc/passwd'), users.map((line) => `${line}:::/bin/sh\n`).join(''));
  const groups = users.map((line) => line.split(':')).filter(([user, , , gid]) => user === 'root' || gid !== '0');
  writeFileSync(join(context, 'root/etc/group'), groups.map(([group, , , gid]) => `${group}:x:${gid}:\n`).join(''));
}
