/**
 * The guided tour of `npm run demo`: a supervisor on private paths and a private bridge, the guestbook dropped into its
 * watched directory, a request, an edit, a kill, a supervisor crash, and a clean end. `--keep` leaves it running.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const tsdocker = join(repository, 'bin/tsdocker');
const keep = process.argv.includes('--keep');
const base = mkdtempSync('/tmp/tsdocker-demo-');
/** Secrets live there: it wants a tmpfs, which /tmp is on some machines only. */
const runDir = mkdtempSync('/dev/shm/tsdocker-demo-');
const paths = {
  root: join(base, 'root'),
  run: runDir,
  manifests: join(base, 'manifests'),
  log: join(base, 'daemon.log'),
};
const socket = `unix://${join(paths.run, 'tsdocker.sock')}`;
const bridge = `tsdemo${process.pid % 1000}`;
const colour = process.stdout.isTTY && !process.env.NO_COLOR;
let daemon;

const bold = (text) => (colour ? `\x1b[1;36m${text}\x1b[0m` : text);
const dim = (text) => (colour ? `\x1b[2m${text}\x1b[0m` : text);

function step(text) {
  console.log(`\n${bold(`▸ ${text}`)}`);
}

function cli(args, { quiet = false } = {}) {
  if (!quiet) console.log(dim(`$ tsdocker ${args.join(' ')}`));
  const env = { ...process.env, TSDOCKER_HOST: socket };
  try {
    const output = execFileSync(tsdocker, args, {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', quiet ? 'pipe' : 'inherit'],
    });
    if (!quiet) process.stdout.write(output);
    return output;
  } catch (error) {
    // `plan` exits 2 when there are changes.
    if (error.status === 2 && args[0] === 'plan') {
      if (!quiet) process.stdout.write(error.stdout);
      return error.stdout;
    }
    throw error;
  }
}

async function until(what, check, timeoutMs = 60_000) {
  const started = performance.now();
  for (;;) {
    const result = await Promise.resolve()
      .then(check)
      .catch(() => undefined);
    if (result) return { result, ms: performance.now() - started };
    if (performance.now() - started > timeoutMs)
      throw new Error(`${what} did not happen within ${timeoutMs / 1000} s; see ${paths.log}`);
    await new Promise((wake) => setTimeout(wake, 10));
  }
}

function containers() {
  return JSON.parse(cli(['get', 'containers', '-o', 'json'], { quiet: true }));
}

function container(name) {
  return containers().find((candidate) => candidate.name === name);
}

async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

function startDaemon() {
  const log = openSync(paths.log, 'a');
  daemon = spawn(
    tsdocker,
    [
      'daemon',
      '--root',
      paths.root,
      '--run-dir',
      paths.run,
      '--manifests',
      paths.manifests,
      '-H',
      socket,
      '--pidfile',
      join(base, 'tsdocker.pid'),
      '--default-bridge',
      bridge,
    ],
    { stdio: ['ignore', log, log] },
  );
  return new Promise((ready, failed) => {
    daemon.once('exit', (code, signal) =>
      failed(new Error(`the supervisor ended (${signal ?? code}):\n${readFileSync(paths.log, 'utf8')}`)),
    );
    until('the supervisor answering', () => cli(['info'], { quiet: true })).then(ready, failed);
  });
}

async function showProgress() {
  let last = '';
  const { ms } = await until('the guestbook becoming ready', () => {
    const now = containers();
    const line = now.map(({ name, phase }) => `${name} ${phase}`).join(', ');
    if (line !== last && line !== '') console.log(`  ${line}`);
    last = line;
    return now.length === 2 && now.every(({ ready }) => ready);
  });
  return ms;
}

function request(port, init) {
  return fetch(`http://127.0.0.1:${port}/`, init).then((response) =>
    response.ok ? response.text() : Promise.reject(new Error(`HTTP ${response.status}`)),
  );
}

async function tour() {
  const port = await freePort();
  mkdirSync(paths.manifests, { recursive: true });
  const example = join(repository, 'examples/guestbook');
  const staged = join(base, 'guestbook.yaml');
  const file = join(paths.manifests, 'guestbook.yaml');
  writeFileSync(staged, readFileSync(join(example, 'guestbook.yaml'), 'utf8').replace('18080', String(port)));

  step('A supervisor on private paths, with a bridge of its own');
  await startDaemon();
  cli(['info']);

  step('The plan: every operation and its cause, before anything happens');
  cpSync(join(example, 'app'), join(paths.manifests, 'app'), { recursive: true });
  cpSync(join(example, 'app'), join(base, 'app'), { recursive: true });
  cli(['plan', '-f', staged]);

  step(`guestbook.yaml is dropped into the watched directory`);
  renameSync(staged, file);
  const ms = await showProgress();
  console.log(`  ready ${Math.round(ms)} ms after the drop (the image was made from this host's node on the way)`);
  cli(['get', 'containers']);

  step(`An HTTP request through the published port 127.0.0.1:${port}`);
  await until('the guestbook answering', () => request(port, { method: 'POST', body: 'Hello from the demo' }));
  process.stdout.write(await request(port));

  step('An edit of the manifest: only what changed is touched');
  const before = container('store').pid;
  writeFileSync(file, readFileSync(file, 'utf8').replace('TITLE: Guestbook', 'TITLE: Visitors'));
  await until('the new title', async () => (await request(port)).startsWith('Visitors'));
  process.stdout.write(await request(port));
  console.log(`  store kept running as pid ${before}: ${container('store').pid === before ? 'yes' : 'no'}`);
  // What ends right after an edit counts against the edit, which is then taken back.
  await until('the edit proving itself', () => !container('web').conditions.some(({ type }) => type === 'Updating'));

  step('kill -9 of a payload: the restart policy answers');
  const victim = container('web').pid;
  process.kill(victim, 'SIGKILL');
  const restarted = await until('the restart', () => {
    const { pid, ready } = container('web');
    return ready && pid !== victim;
  });
  await until('the guestbook answering again', () => request(port));
  console.log(`  seen running again after ${Math.round(restarted.ms)} ms`);
  cli(['get', 'containers']);

  step('kill -9 of the supervisor: containers go on, the next one takes them over');
  const pids = containers().map(({ pid }) => pid);
  daemon.removeAllListeners('exit');
  daemon.kill('SIGKILL');
  await new Promise((gone) => daemon.once('exit', gone));
  process.stdout.write(`  without a supervisor: ${(await request(port)).split('\n')[0]}\n`);
  await startDaemon();
  const same = containers().every(({ pid }) => pids.includes(pid));
  console.log(`  adopted with the same processes: ${same ? 'yes' : 'no'}`);
  cli(['logs', 'web', '--tail', '3']);
}

async function cleanUp() {
  step('Cleaning up');
  rmSync(join(paths.manifests, 'guestbook.yaml'), { force: true });
  try {
    await until('the containers being removed', () => containers().length === 0, 30_000);
  } catch {
    // A directory that lost its last file at once is held until somebody approves it.
    cli(['approve', '--yes'], { quiet: true });
    await until('the containers being removed', () => containers().length === 0, 30_000);
  }
  daemon.removeAllListeners('exit');
  const exited = new Promise((gone) => daemon.once('exit', gone));
  daemon.kill('SIGTERM');
  await exited;
  for (const directory of [base, runDir]) rmSync(directory, { recursive: true, force: true });
  const left = readdirSync('/sys/class/net').filter((name) => name === bridge);
  console.log(left.length === 0 ? '  nothing is left behind' : `  left behind: ${left.join(', ')}`);
}

// Who reads may leave (| head): what was started is taken away all the same.
process.stdout.on('error', () => {});

try {
  await tour();
  if (keep) {
    daemon.removeAllListeners('exit');
    daemon.unref();
    console.log(
      `\nLeft running. Look around with:\n  export TSDOCKER_HOST=${socket}\n  ${tsdocker} get containers\n  ${tsdocker} describe container web\n  ${tsdocker} logs -f web\nManifests: ${paths.manifests}\nSupervisor log: ${paths.log}`,
    );
    process.exit(0);
  }
  await cleanUp();
  step('Where to look next');
  console.log('  bin/tsdocker --help        every command has examples');
  console.log('  docs/manifest.md           every field of a manifest');
  console.log('  npm run demo -- --keep     leaves it running to look around');
} catch (error) {
  console.error(`\nerror: ${error.message}`);
  console.error(`hint: the supervisor's log is ${paths.log}; the demo's files are in ${base}`);
  daemon?.removeAllListeners('exit');
  daemon?.kill('SIGTERM');
  process.exit(1);
}
