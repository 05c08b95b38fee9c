/**
 * Bringing a Debian image in: from a registry on this machine and from an archive, beside `docker pull` and `docker load`,
 * and `skopeo copy` + `umoci unpack`. Prints seconds, ratios (above 1: tsdocker is faster) and the memory of tsdocker's part.
 *
 *   node bench/unpack/unpack.mjs [--rounds N]
 *   node bench/unpack/unpack.mjs --large      one layer of 1 GiB: memory only
 *
 * Needs root and Debian's mmdebstrap, docker-registry, skopeo, umoci; docker.io for the comparison with docker. Everything
 * runs in a network namespace of its own; the image is kept in /var/tmp/tsdocker-bench.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CACHE, debianLayout, layoutOf } from './fixture.mjs';

const REGISTRY = '127.0.0.1:5999';
const NAME = `${REGISTRY}/bench:1`;
const LARGE_MIB = 1024;
const installed = (program) => spawnSync('which', [program]).status === 0;
const quiet = { stdio: ['ignore', 'ignore', 'pipe'] };
const run = (program, ...args) => execFileSync(program, args, quiet);
const argument = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : process.argv[at + 1];
};

/** Node's own clock, with what was written brought to the disk: layers of tsdocker are durable when it says so. */
function timed(action) {
  run('sync');
  const start = performance.now();
  action();
  run('sync', '-f', work);
  return (performance.now() - start) / 1000;
}

function ours(verb, what, root) {
  // What others left to be written is not our work.
  run('sync');
  const script = fileURLToPath(new URL('ours.mjs', import.meta.url));
  return JSON.parse(execFileSync(process.execPath, [script, verb, what, root], { encoding: 'utf8' }));
}

async function until(check) {
  for (let tries = 0; !(await check()); tries++) {
    if (tries > 300) throw new Error('a server did not come up');
    await delay(100);
  }
}

async function startRegistry() {
  const config = join(work, 'registry.yml');
  const storage = { filesystem: { rootdirectory: join(work, 'registry') } };
  writeFileSync(config, JSON.stringify({ version: '0.1', log: { level: 'error' }, storage, http: { addr: REGISTRY } }));
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  await until(() =>
    fetch(`http://${REGISTRY}/v2/`).then(
      () => true,
      () => false,
    ),
  );
  return child;
}

/** A dockerd with nothing in it, that shares nothing with one of this host. */
async function startDocker(directory) {
  const at = (name) => join(directory, name);
  mkdirSync(at('.'), { recursive: true });
  const socket = `unix://${at('socket')}`;
  const flags = ['--data-root', at('data'), '--exec-root', at('exec'), '-H', socket, '--pidfile', at('pid')];
  const child = spawn('dockerd', [...flags, '--bridge=none', '--iptables=false', '--ip6tables=false'], {
    stdio: 'ignore',
  });
  const docker = (...args) => run('docker', '-H', socket, ...args);
  await until(() => spawnSync('docker', ['-H', socket, 'info']).status === 0);
  const driver = execFileSync('docker', ['-H', socket, 'info', '-f', '{{.Driver}}'], { encoding: 'utf8' }).trim();
  const stop = async () => {
    await end(child);
    // dockerd binds its data directory onto itself.
    spawnSync('umount', ['-R', at('data')], { stdio: 'ignore' });
  };
  return { docker, driver, stop };
}

const end = async (child) => {
  if (!child || child.exitCode !== null) return;
  const gone = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await gone;
};

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function compare() {
  const layout = await debianLayout();
  const registry = await startRegistry();
  let driver = null;
  try {
    run('skopeo', '--insecure-policy', 'copy', '--dest-tls-verify=false', `oci:${layout}:bench`, `docker://${NAME}`);
    const archive = join(work, 'bench.tar');
    run('skopeo', '--insecure-policy', 'copy', `oci:${layout}:bench`, `docker-archive:${archive}:bench:1`);
    const rows = { 'pull from a registry': [], 'load an archive': [] };
    for (let round = 0; round < Number(argument('--rounds', '3')); round++) {
      for (const [what, from] of [
        ['pull', NAME],
        ['load', archive],
      ]) {
        const at = (name) => join(work, `${what}-${round}-${name}`);
        const row = ours(what, from, at('ours'));
        // Nothing is removed before the end: ext4 looks for inodes much longer where many were freed a short while ago.
        const source = what === 'pull' ? `docker://${NAME}` : `docker-archive:${from}`;
        const umoci = timed(() => {
          run('skopeo', '--insecure-policy', 'copy', '--src-tls-verify=false', source, `oci:${at('oci')}:bench`);
          run('umoci', 'unpack', '--image', `${at('oci')}:bench`, at('bundle'));
        });
        let docker = null;
        if (installed('dockerd')) {
          const daemon = await startDocker(at('docker'));
          try {
            docker = timed(() =>
              what === 'pull' ? daemon.docker('pull', '-q', NAME) : daemon.docker('load', '-q', '-i', from),
            );
            driver = daemon.driver;
          } finally {
            await daemon.stop();
          }
        }
        rows[what === 'pull' ? 'pull from a registry' : 'load an archive'].push({ ...row, umoci, docker });
      }
    }
    for (const [what, measured] of Object.entries(rows)) print(what, measured, driver);
  } finally {
    await end(registry);
  }
}

function print(what, rows, driver) {
  const of = (field) => median(rows.map((row) => row[field]));
  const own = of('seconds');
  const beside = (name, seconds) => `${name} ${seconds.toFixed(2)} s (${(seconds / own).toFixed(2)} x)`;
  const others = [beside('skopeo + umoci', of('umoci'))];
  if (rows[0].docker !== null) others.push(beside(`docker with ${driver}`, of('docker')));
  console.log(`${what}: tsdocker ${own.toFixed(2)} s, ${of('peakMiB').toFixed(0)} MiB at most; ${others.join(', ')}`);
}

/** One layer of random bytes, which gzip cannot make smaller. */
async function large() {
  const rootfs = join(work, 'rootfs');
  mkdirSync(rootfs);
  run('sh', '-c', `head -c ${LARGE_MIB}M /dev/urandom > ${rootfs}/big`);
  const layout = await layoutOf(rootfs, [['.']], join(work, 'layout'));
  rmSync(rootfs, { recursive: true });
  const registry = await startRegistry();
  try {
    run('skopeo', '--insecure-policy', 'copy', '--dest-tls-verify=false', `oci:${layout}:bench`, `docker://${NAME}`);
    const { seconds, peakMiB } = ours('pull', NAME, join(work, 'ours'));
    console.log(
      `layer of ${LARGE_MIB} MiB: pulled in ${seconds.toFixed(2)} s with ${peakMiB.toFixed(0)} MiB of memory at most`,
    );
  } finally {
    await end(registry);
  }
}

if (process.env.TSD_BENCH_INSIDE !== '1') {
  const again = ['-c', 'ip link set lo up && exec "$0" "$@"', process.execPath, ...process.argv.slice(1)];
  const { status } = spawnSync('unshare', ['-n', '-m', '--propagation', 'private', 'sh', ...again], {
    stdio: 'inherit',
    env: { ...process.env, TSD_BENCH_INSIDE: '1' },
  });
  process.exit(status ?? 1);
}
mkdirSync(CACHE, { recursive: true });
const work = mkdtempSync(join(CACHE, 'work-'));
try {
  await (process.argv.includes('--large') ? large() : compare());
} finally {
  spawnSync('rm', ['-rf', work], { stdio: 'inherit' });
}
