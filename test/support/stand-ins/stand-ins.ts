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
import { imageReference } from '../../../src/manifest/importers/names.ts';
import { REGISTRY_INSTALLED, RegistryServer } from '../registry.ts';
import { storedName } from '../stored-name.ts';
import { TestSupervisor } from '../supervisor.ts';
import { APPLETS, basesOf, PACKAGES, postgresBin, STAND_INS } from './images.ts';

const CACHE = '/var/tmp/tsdocker-stand-ins';
const SOURCES = import.meta.dirname;
/** A package of this checkout that programs of stand-ins read YAML with. */
const YAML = join(SOURCES, '../../../node_modules/yaml');

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
    const wanted = await buildIn(supervisor, references);
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

/** Stand-ins in a supervisor itself, which then pulls none of them. */
export async function makeStandIns(supervisor: TestSupervisor, references: readonly string[]): Promise<void> {
  const wanted = await buildIn(supervisor, references);
  await Promise.all(
    wanted.map(({ directory, reference }) =>
      supervisor.ok('tag', `stand-ins/${directory}`, storedName(imageReference(reference))),
    ),
  );
}

interface Wanted {
  readonly directory: string;
  readonly reference: string;
}

async function buildIn(supervisor: TestSupervisor, references: readonly string[]): Promise<readonly Wanted[]> {
  const wanted = Object.entries(STAND_INS).flatMap(([directory, { name }]) =>
    references
      .map(fullName)
      .filter((reference) => reference.startsWith(`${name}:`))
      .map((reference) => ({ directory, reference })),
  );
  for (const { directory } of wanted) writeContext(supervisor.base, directory);
  const images = declarations(wanted.map(({ directory }) => directory));
  const manifest = supervisor.file('stand-ins.yaml', JSON.stringify({ images }));
  await supervisor.ok('apply', '--wait=180s', '-f', manifest);
  return wanted;
}

const fullName = (reference: string): string => (reference.includes('/') ? reference : `library/${reference}`);

/** Images of the host, and what is built on them. */
function declarations(directories: readonly string[]): Record<string, object> {
  const args = { PG_BIN: postgresBin() };
  const built = directories.map((name) => [name, { build: { context: `./${name}`, args } }] as const);
  return { ...basesOf(directories), ...Object.fromEntries(built) };
}

/** The sources of a stand-in, with a shell's programs and its users below root/, and what several of them share. */
function writeContext(base: string, name: string): void {
  const context = join(base, name);
  cpSync(join(SOURCES, name), context, { recursive: true });
  cpSync(join(SOURCES, 'common'), context, { recursive: true });
  if (readFileSync(join(context, 'Dockerfile'), 'utf8').includes('COPY yaml/')) {
    cpSync(YAML, join(context, 'yaml'), { recursive: true });
  }
  for (const directory of ['usr/bin', 'etc']) mkdirSync(join(context, 'root', directory), { recursive: true });
  for (const applet of APPLETS) symlinkSync('busybox', join(context, 'root/usr/bin', applet));
  const users = ['root:x:0:0', ...(STAND_INS[name]?.users ?? [])];
  writeFileSync(join(context, 'root/etc/passwd'), users.map((line) => `${line}:::/bin/sh\n`).join(''));
  const groups = users.map((line) => line.split(':')).filter(([user, , , gid]) => user === 'root' || gid !== '0');
  writeFileSync(join(context, 'root/etc/group'), groups.map(([group, , , gid]) => `${group}:x:${gid}:\n`).join(''));
}
