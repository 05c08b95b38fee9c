/**
 * Makes build/tsdocker_VERSION_ARCH.deb of what `npm run build` made, with the modules it needs, units, man pages,
 * completions and ready-made manifests. Needs dpkg-deb. The native modules are those of this checkout: the package is for
 * this version of Node.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { EXTERNAL } from './external.mjs';

const { version, description } = JSON.parse(readFileSync('package.json', 'utf8'));
const [major] = process.versions.node.split('.').map(Number);
/** Sources and intermediate results of the native module; maps and benches of ours. */
const LEFT_OUT =
  /\/better-sqlite3\/(deps|src|build\/(?!Release(\/better_sqlite3\.node)?$).+)$|^dist\/bench(\/|$)|\.map$/;

if (!existsSync('dist') || !existsSync('build/tsdocker-shim')) {
  console.error('error: tsdocker is not built\nhint: npm run build');
  process.exit(1);
}
execFileSync(process.execPath, ['--import', './test/support/run-typescript.mjs', 'scripts/manuals.mjs']);
const architecture = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim();
const stage = mkdtempSync(join(tmpdir(), 'tsdocker-deb-'));
try {
  stageFiles();
  setModes(stage);
  writeControl();
  const file = `build/tsdocker_${version}_${architecture}.deb`;
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', stage, file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  console.log(file);
} finally {
  rmSync(stage, { recursive: true, force: true });
}

function copy(from, to) {
  mkdirSync(join(stage, to, '..'), { recursive: true });
  cpSync(from, join(stage, to), { recursive: true, verbatimSymlinks: true, filter: (path) => !LEFT_OUT.test(path) });
}

/** Names of npm packages with all they need of others at run time. */
function withNeeded(names) {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  /** Of what there is for each platform, this one's was installed. What fetches a native module has done so. */
  const isRun = (name) => existsSync(`node_modules/${name}`) && name !== 'prebuild-install';
  const found = new Set(names);
  for (const name of found) {
    const { dependencies, optionalDependencies } = packages[`node_modules/${name}`];
    for (const needed of Object.keys({ ...dependencies, ...optionalDependencies }).filter(isRun)) found.add(needed);
  }
  return found;
}

function writeGzip(from, to) {
  mkdirSync(join(stage, to, '..'), { recursive: true });
  writeFileSync(join(stage, to), gzipSync(readFileSync(from), { level: 9 }));
}

function stageFiles() {
  const home = 'usr/lib/tsdocker';
  for (const part of ['bin', 'dist', 'build/tsdocker-shim', 'package.json']) copy(part, `${home}/${part}`);
  for (const name of withNeeded(EXTERNAL)) copy(`node_modules/${name}`, `${home}/node_modules/${name}`);
  mkdirSync(join(stage, 'usr/bin'), { recursive: true });
  symlinkSync('../lib/tsdocker/bin/tsdocker', join(stage, 'usr/bin/tsdocker'));
  mkdirSync(join(stage, 'etc/tsdocker/manifests'), { recursive: true });
  for (const unit of readdirSync('packaging/systemd'))
    copy(`packaging/systemd/${unit}`, `usr/lib/systemd/system/${unit}`);
  for (const page of readdirSync('build/man')) writeGzip(`build/man/${page}`, `usr/share/man/man1/${page}.gz`);
  copy('build/completions/tsdocker.bash', 'usr/share/bash-completion/completions/tsdocker');
  copy('build/completions/_tsdocker', 'usr/share/zsh/vendor-completions/_tsdocker');
  copy('build/completions/tsdocker.fish', 'usr/share/fish/vendor_completions.d/tsdocker.fish');
  copy('LICENSE', 'usr/share/doc/tsdocker/copyright');
  writeGzip('CHANGELOG.md', 'usr/share/doc/tsdocker/changelog.gz');
  copy('docs', 'usr/share/doc/tsdocker/docs');
  copy('examples', 'usr/share/doc/tsdocker/examples');
  copy('manifests', 'usr/share/doc/tsdocker/manifests');
}

function* entries(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    yield path;
    if (entry.isDirectory()) yield* entries(path);
  }
}

/** Whatever umask the checkout was made with. */
function setModes(root) {
  chmodSync(root, 0o755);
  for (const path of entries(root)) {
    const stat = lstatSync(path);
    if (stat.isDirectory()) chmodSync(path, 0o755);
    else if (stat.isFile()) chmodSync(path, (stat.mode & 0o111) === 0 ? 0o644 : 0o755);
  }
}

function writeControl() {
  const files = [...entries(stage)].filter((path) => lstatSync(path).isFile());
  const kibibytes = files.reduce((sum, path) => sum + Math.ceil(lstatSync(path).size / 1024), 0);
  const md5 = (path) => createHash('md5').update(readFileSync(path)).digest('hex');
  const control = join(stage, 'DEBIAN');
  const sums = files.map((path) => `${md5(path)}  ${relative(stage, path)}\n`).join('');
  mkdirSync(control, { mode: 0o755 });
  writeFileSync(join(control, 'md5sums'), sums);
  writeFileSync(
    join(control, 'control'),
    `Package: tsdocker
Version: ${version}
Architecture: ${architecture}
Maintainer: The tsdocker developers <tsdocker@localhost>
Section: admin
Priority: optional
Installed-Size: ${kibibytes}
Depends: nodejs (>= ${major === 20 ? '20.19' : major}), nodejs (<< ${major + 1}), libc6, libstdc++6, libnftables1, libzstd1, liblzma5, libbz2-1.0
Recommends: nftables, iproute2
Description: ${description.split(': ')[0]}
 ${description.split(': ')[1] ?? description}
`,
  );
  for (const script of ['postinst', 'prerm', 'postrm']) {
    cpSync(`packaging/deb/${script}`, join(control, script));
    chmodSync(join(control, script), 0o755);
  }
}
