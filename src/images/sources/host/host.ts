import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TsdError } from '../../../model/errors/errors.ts';
import type { ImageSource, LoadContext, LoadedImage } from '../../image.ts';
import { sha256Hex } from '../../image-config.ts';
import { loadMadeLayer } from '../../made-layer.ts';
import { readElf } from './elf.ts';
import { externalModules } from './external-modules.ts';
import { HostTree } from './host-tree.ts';
import { LibraryFinder, type LoadedObject, loaderDirectoryOf, rpathOf } from './libraries.ts';
import { accountsNamed, selectAccounts, withoutMembers } from './user-database.ts';

type HostSource = Extract<ImageSource, { type: 'host' }>;

const SEARCH_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** Symlinks of a merged /usr; absolute paths inside scripts and programs rely on them. */
const TOP_LEVEL_LINKS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
/** Where distributions keep the bundle of trusted certificates: Debian and Alpine, Fedora, openSUSE. */
const CA_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/var/lib/ca-certificates/ca-bundle.pem',
];
const OPENSSL_DIRECTORY = '/usr/lib/ssl';
const DIRECTORIES: Readonly<Record<string, number>> = {
  '/dev': 0o755,
  '/etc': 0o755,
  '/proc': 0o555,
  '/root': 0o700,
  '/run': 0o755,
  '/sys': 0o555,
  '/tmp': 0o1777,
  '/var/tmp': 0o1777,
};
const NSSWITCH = 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n';
const MAX_INTERPRETER_LINE = 256;

/**
 * Loads binaries of this host, their interpreters and shared libraries, and the few files that programs expect. Nothing
 * of the host is run. The same files give the same image on any machine.
 */
export async function loadHost(source: HostSource, context: LoadContext): Promise<LoadedImage> {
  context.progress({ type: 'reading', what: `host: ${[...source.binaries, ...source.paths].join(' ')}` });
  const tree = await collect(source, context.signal);
  return loadMadeLayer(() => tree.entries(), source.config, context);
}

/** Changes when a file of the image changes on the host. Costs a stat for each file, not a read. */
export async function hostFingerprint(source: HostSource, signal?: AbortSignal): Promise<string> {
  return sha256Hex((await collect(source, signal)).fingerprint());
}

async function collect(source: HostSource, signal?: AbortSignal): Promise<HostTree> {
  const tree = new HostTree();
  for (const link of TOP_LEVEL_LINKS) {
    if (lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink()) tree.add(link);
  }
  for (const name of source.binaries) tree.add(findBinary(name));
  for (const path of source.paths) await tree.addAll(path, signal);
  addDependencies(tree);
  addUsualFiles(tree, source.config.user ?? '');
  return tree;
}

function findBinary(name: string): string {
  const candidates = name.includes('/') ? [name] : SEARCH_PATH.map((directory) => join(directory, name));
  const found = candidates.find((path) => (name.startsWith('/') || !name.includes('/') ? isExecutable(path) : false));
  if (found !== undefined) return found;
  throw new TsdError('TSD_IMAGE_SOURCE', `no program ${name} on this host`, {
    step: 'find binary',
    hint: name.includes('/')
      ? 'Give an absolute path of an executable file.'
      : `It is looked for in ${SEARCH_PATH.join(':')}.`,
  });
}

function isExecutable(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Adds loaders, libraries, script interpreters and Node's own modules until nothing new is needed. */
function addDependencies(tree: HostTree): void {
  const finder = new LibraryFinder();
  const inherited = new Map<string, readonly string[]>();
  let loaderDirectory: string | null = null;
  for (let files = tree.takeFound(); files.length > 0; files = tree.takeFound()) {
    for (const path of files) {
      for (const interpreter of scriptInterpreters(path)) tree.add(interpreter);
      const elf = mayBeElf(path) ? readElf(path) : null;
      if (elf === null) continue;
      for (const module of externalModules(path)) tree.add(module);
      if (elf.interpreter !== null) {
        tree.add(elf.interpreter);
        loaderDirectory = loaderDirectoryOf(elf.interpreter);
      }
      const object: LoadedObject = { realPath: path, elf, inheritedRpath: inherited.get(path) ?? [] };
      for (const name of elf.needed) {
        const library = addLibrary(tree, finder, name, object, loaderDirectory);
        if (library !== null && !inherited.has(library)) inherited.set(library, rpathOf(object));
      }
    }
  }
}

/**
 * The image has no ld.so.cache, so a library that only the host's cache knows gets a link where the loader looks by itself.
 * @returns where the library really is; null for one that the loader finds nowhere, but that is among what was named: its
 * program loads it before what needs it, as java does the library of its machine.
 */
function addLibrary(
  tree: HostTree,
  finder: LibraryFinder,
  name: string,
  object: LoadedObject,
  loaderDirectory: string | null,
): string | null {
  const directory = loaderDirectory ?? '/lib';
  const found = finder.look(name, object, directory);
  if (found === null && tree.hasNamed(name)) return null;
  const { path, listed } = found ?? finder.find(name, object, directory);
  const real = tree.add(path);
  if (!listed && loaderDirectory !== null && dirname(real) !== loaderDirectory) {
    tree.addLink(join(loaderDirectory, name), path);
  }
  return real;
}

function mayBeElf(path: string): boolean {
  return basename(path).includes('.so') || (statSync(path).mode & 0o111) !== 0;
}

/** The program of a `#!` line; of `#!/usr/bin/env NAME` also the program NAME. */
function scriptInterpreters(path: string): string[] {
  if ((statSync(path).mode & 0o111) === 0) return [];
  const [, program, argument] = /^#!\s*(\/\S*)(?:\s+(?:-S\s+)?([^\s-]\S*))?/.exec(firstLine(path)) ?? [];
  if (program === undefined) return [];
  return basename(program) === 'env' && argument !== undefined ? [program, findBinary(argument)] : [program];
}

function firstLine(path: string): string {
  const buffer = Buffer.alloc(MAX_INTERPRETER_LINE);
  const fd = openSync(path, 'r');
  try {
    const length = readSync(fd, buffer, 0, buffer.length, 0);
    return buffer.toString('latin1', 0, length).split('\n', 1)[0] ?? '';
  } finally {
    closeSync(fd);
  }
}

function addUsualFiles(tree: HostTree, user: string): void {
  for (const [path, mode] of Object.entries(DIRECTORIES)) tree.addMade(path, { mode });
  tree.addMade('/var/run', { linkname: '/run' });
  if (existsSync('/etc/os-release')) tree.add('/etc/os-release');
  const bundle = CA_BUNDLES.find((path) => existsSync(path));
  if (bundle !== undefined) {
    tree.add(bundle);
    if (existsSync(OPENSSL_DIRECTORY)) tree.addMade(join(OPENSSL_DIRECTORY, 'cert.pem'), { linkname: bundle });
  }
  addAccounts(tree, user);
  tree.addMade('/etc/nsswitch.conf', { content: NSSWITCH });
}

/** A user's own group and the groups of files come along with the users. */
function addAccounts(tree: HostTree, user: string): void {
  const { uids, gids } = tree.owners();
  const named = accountsNamed(user);
  const passwd = selectAccounts(readFileSync('/etc/passwd', 'utf8'), {
    ids: new Set([...uids, ...named.users.ids]),
    names: named.users.names,
  });
  const primary = passwd.split('\n').map((line) => Number(line.split(':')[3]));
  const group = selectAccounts(readFileSync('/etc/group', 'utf8'), {
    ids: new Set([...gids, ...named.groups.ids, ...primary]),
    names: named.groups.names,
  });
  tree.addMade('/etc/passwd', { content: passwd });
  tree.addMade('/etc/group', { content: withoutMembers(group) });
}
