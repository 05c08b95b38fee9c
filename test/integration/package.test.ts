/** The Debian package, by its contents: what it unpacks is a tsdocker without the checkout it was made in. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const CHECKOUT = resolve(import.meta.dirname, '../..');
const FILE = /ExecStart=(\S+)/;

let tree: string;
let made: string;

beforeAll(() => {
  const script = ['scripts/package-deb.mjs'];
  made = join(CHECKOUT, execFileSync(process.execPath, script, { cwd: CHECKOUT, encoding: 'utf8' }).trim());
  tree = mkdtempSync('/tmp/tsd-package-');
  execFileSync('dpkg-deb', ['-x', made, tree]);
});

afterAll(() => rmSync(tree, { recursive: true, force: true }));

test('is complete: its supervisor runs containers', async () => {
  const supervisor = new TestSupervisor();
  onTestFinished(() => supervisor.destroy());
  supervisor.program = join(tree, 'usr/bin/tsdocker');
  await supervisor.start();
  supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  calm: { image: busybox, command: ${FOREVER} }\n`);
  await supervisor.waitFor('calm', 'ready', ({ ready }) => ready);
  const cmdline = readFileSync(`/proc/${supervisor.pid}/cmdline`, 'utf8');
  expect(cmdline).toContain(tree);
});

test('has the files that units and people need, owned by root and writable only by root', () => {
  const unit = readFileSync(join(tree, 'usr/lib/systemd/system/tsdocker.service'), 'utf8');
  expect(existsSync(join(tree, FILE.exec(unit)?.[1] ?? 'nothing'))).toBe(true);
  expect(readdirSync(join(tree, 'etc/tsdocker'))).toEqual(['manifests']);
  const files = (directory: string) => readdirSync(directory, { recursive: true }).sort();
  for (const part of ['docs', 'examples', 'manifests']) {
    expect(files(join(tree, 'usr/share/doc/tsdocker', part))).toEqual(files(join(CHECKOUT, part)));
  }
  const entries = readdirSync(tree, { recursive: true, encoding: 'utf8' }).map((path) => lstatSync(join(tree, path)));
  expect(entries.filter((entry) => !entry.isSymbolicLink() && (entry.mode & 0o022) !== 0)).toEqual([]);
  expect(entries.filter(({ uid, gid }) => uid !== 0 || gid !== 0)).toEqual([]);
});

describe('each command has a manual page and a completion', () => {
  const PAGES = ['tsdocker.1', ...COMMANDS.map(({ name }) => `tsdocker-${name}.1`)].sort();
  const SCRIPTS = [
    ['bash-completion/completions/tsdocker', 'tsdocker.bash'],
    ['zsh/vendor-completions/_tsdocker', '_tsdocker'],
    ['fish/vendor_completions.d/tsdocker.fish', 'tsdocker.fish'],
  ] as const;

  test('in the Debian package', () => {
    const manuals = join(tree, 'usr/share/man/man1');
    expect(readdirSync(manuals).sort()).toEqual(PAGES.map((page) => `${page}.gz`));
    const texts = SCRIPTS.map(([path]) => readFileSync(join(tree, 'usr/share', path), 'utf8'));
    for (const { name, summary } of COMMANDS) {
      const page = gunzipSync(readFileSync(join(manuals, `tsdocker-${name}.1.gz`))).toString('utf8');
      expect(page).toContain(
        `.SH NAME\ntsdocker\\-${name.replaceAll('-', '\\-')} \\- ${summary.replaceAll('-', '\\-')}\n`,
      );
      expect(page).toContain('\n.SH EXAMPLES\n');
      for (const text of texts) expect(text).toMatch(new RegExp(`(?<![\\w-])${name}(?![\\w-])`));
    }
  });

  test('in the npm package', () => {
    const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: CHECKOUT,
      encoding: 'utf8',
    });
    const [{ files }] = JSON.parse(packed) as [{ readonly files: readonly { readonly path: string }[] }];
    const paths = files.map(({ path }) => path);
    const of = (directory: string) =>
      paths.filter((path) => path.startsWith(directory)).map((path) => path.slice(directory.length));
    expect(of('build/man/').sort()).toEqual(PAGES);
    expect(of('build/completions/').sort()).toEqual(SCRIPTS.map(([, file]) => file).sort());
    expect(paths).toEqual(expect.arrayContaining(['bin/tsdocker', 'build/tsdocker-shim', 'dist/cli/index.js']));
    expect(paths.filter((path) => /^(src|test|node_modules)\//.test(path))).toEqual([]);
  });
});

test('names its dependencies', () => {
  const depends = execFileSync('dpkg-deb', ['-f', made, 'Depends'], { encoding: 'utf8' });
  const [major] = process.versions.node.split('.').map(Number);
  // Native modules are those of this Node.
  const node = [`nodejs (>= ${major === 20 ? '20.19' : major})`, `nodejs (<< ${(major ?? 0) + 1})`];
  for (const need of [...node, 'libnftables1', 'libzstd1']) expect(depends).toContain(need);
});

test('purges without a question and deletes no volume', () => {
  const control = mkdtempSync('/tmp/tsd-control-');
  onTestFinished(() => rmSync(control, { recursive: true, force: true }));
  execFileSync('dpkg-deb', ['-e', made, control]);
  // What it changes of the machine is in a mount namespace that ends with it. It has no terminal, and nothing to read.
  const script = `
    mount -t tmpfs none /var/lib
    mount -t tmpfs none /etc/systemd
    mkdir -p /var/lib/tsdocker/vfs/dir/v /var/lib/tsdocker/graph
    echo data > /var/lib/tsdocker/vfs/dir/v/file
    for step in remove purge; do setsid -w sh ${control}/postrm $step < /dev/null > /dev/null 2>> /var/lib/said; done
    cat /var/lib/tsdocker/vfs/dir/v/file /var/lib/said`;
  const said = execFileSync('unshare', ['--mount', 'sh', '-ec', script], { encoding: 'utf8' });
  expect(said).toMatch(/^data\n/);
  expect(said).toContain('volumes only with --volumes');
});
