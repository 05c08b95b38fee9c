/** The program dist/resolver.js. protocol.ts says how it is started and what it does. */
import { parseArgs } from 'node:util';
import { readNameServers } from '../ffi/host/name-servers.ts';
import { serveControl } from './control/control-server.ts';
import { logTo } from './log.ts';
import { closeInherited, dropPrivileges, type Identity } from './privileges.ts';
import { serversAt } from './protocol.ts';
import { Registry } from './registry.ts';

const LOG_FD = 2;
const CONTROL_FD = 3;
const LANES_FD = 4;

/** How long questions that wait for servers are waited for at the end: three servers of four seconds. */
const END_MS = 12_500;
const END_LOOK_MS = 20;
/** How often it is looked at what tells nothing by itself. */
const LOOK_MS = 2_000;
/** A program without a supervisor and without sockets is one that no supervisor knows. */
const UNUSED_MS = 60_000;

const HELP = `usage: node dist/resolver.js --program IDENTITY [--uid N --gid N] [--unused-ms N]

Answers DNS questions of containers, and relays published ports that the kernel cannot translate. The supervisor starts it, with its log as descriptor 2 and two listening sockets
as descriptors 3 and 4. It ends after --unused-ms (60000) without a supervisor and without sockets. Example: node dist/resolver.js --program 0123abcd --uid 65534 --gid 65534
`;

interface Arguments {
  readonly program: string;
  readonly identity: Identity | null;
  readonly unusedMs: number;
}

/** Null where help is wanted. */
function parse(args: readonly string[]): Arguments | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      program: { type: 'string' },
      uid: { type: 'string' },
      gid: { type: 'string' },
      'unused-ms': { type: 'string', default: `${UNUSED_MS}` },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return null;
  const [uid, gid] = [Number(values.uid), Number(values.gid)];
  if (values.program === undefined) throw new Error('--program is missing');
  const { program } = values;
  const unusedMs = Number(values['unused-ms']);
  if (!(unusedMs > 0)) throw new Error('--unused-ms is a number of milliseconds');
  if (process.getuid?.() !== 0) return { program, unusedMs, identity: null };
  if (!(uid > 0 && gid > 0)) throw new Error('root gives --uid and --gid of another user');
  return { program, unusedMs, identity: { uid, gid } };
}

/** Ends when no question waits for a server any more, and nothing is relayed. */
function endWhenQuiet(registry: Registry): void {
  registry.end();
  const end = performance.now() + END_MS;
  setInterval(() => {
    const { waiting, relaying } = registry.busy;
    if (relaying === 0 && (waiting === 0 || performance.now() > end)) process.exit(0);
  }, END_LOOK_MS);
}

/** What a supervisor does otherwise: the host's file is for all to read. */
function followHost(registry: Registry): void {
  const addresses = readNameServers();
  if (addresses === null) return;
  const servers = serversAt(addresses);
  if (JSON.stringify(servers) !== JSON.stringify(registry.hostServers)) registry.setHostServers(servers, null);
}

function run({ program, identity, unusedMs }: Arguments): void {
  const log = logTo(LOG_FD, () => new Date());
  const starter = process.getuid?.() ?? null;
  closeInherited(LANES_FD);
  dropPrivileges(identity);
  const registry = new Registry(log, () => performance.now());
  // All containers would be without names for a fault in the answer to one.
  process.on('uncaughtException', (error) => log(`fault: ${error.stack ?? error.message}`));
  process.on('unhandledRejection', (error) => log(`fault: ${String(error)}`));
  for (const signal of ['SIGHUP', 'SIGPIPE'] as const) process.on(signal, () => undefined);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));
  const isSupervised = serveControl({
    registry,
    control: CONTROL_FD,
    lanes: LANES_FD,
    program,
    mayCommand: (uid) => uid !== null && uid === starter,
    log,
    onEnd: () => endWhenQuiet(registry),
  });
  let usedAt = performance.now();
  setInterval(
    () => {
      registry.look();
      if (!isSupervised()) followHost(registry);
      if (isSupervised() || registry.isUsed) usedAt = performance.now();
      else if (performance.now() - usedAt >= unusedMs) process.exit(0);
    },
    Math.min(LOOK_MS, unusedMs),
  ).unref();
  log(`resolver ${program} answers`);
}

try {
  const args = parse(process.argv.slice(2));
  if (args === null) process.stdout.write(HELP);
  else run(args);
} catch (error) {
  process.stderr.write(`error: ${(error as Error).message}\nhint: see node dist/resolver.js --help\n`);
  process.exitCode = 1;
}
