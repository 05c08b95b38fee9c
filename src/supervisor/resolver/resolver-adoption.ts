/** Finds the resolvers of an instance, and makes one of them: of this program, with the sockets of all. */

import { startTimeOf } from '../../ffi/process/processes.ts';
import { keepAddress } from '../../ffi/sockets/internet.ts';
import type { Timers } from '../../model/clock.ts';
import { describeError, TsdError, toTsdError } from '../../model/errors/errors.ts';
import type { RelayState, SocketRole } from '../../resolver/protocol.ts';
import type { ResolverEvent } from './resolver-event.ts';
import { ResolverLink, UnseenError } from './resolver-link.ts';
import { endProcess, hasEnded, type ResolverProcess, type ResolverProgram } from './resolver-program.ts';

export interface Resolver {
  readonly link: ResolverLink;
  readonly process: ResolverProcess;
}

export interface AdoptionParts {
  readonly program: ResolverProgram;
  readonly timers: Timers;
  readonly onProblem: (text: string) => void;
  readonly onEvent: (event: ResolverEvent) => void;
}

/** Longest time that a process which was killed is waited for. */
const END_MS = 5_000;
const LOOK_AGAIN_MS = 2;

/** Resolves when the process is gone, and its sockets with it. @throws TsdError class timeout */
async function untilEnded(process: ResolverProcess, timers: Timers): Promise<void> {
  const deadline = performance.now() + END_MS;
  while (!hasEnded(process)) {
    if (performance.now() > deadline) {
      throw new TsdError('TSD_RESOLVER', `the resolver (pid ${process.pid}) does not end`, { class: 'timeout' });
    }
    await new Promise<void>((next) => timers.after(LOOK_AGAIN_MS, next));
  }
}

export async function kill(process: ResolverProcess, timers: Timers): Promise<void> {
  endProcess(process);
  await untilEnded(process, timers);
}

/**
 * Asks it to end, and kills it where it does not.
 * @param patiently true: what it relays goes on, and it ends afterwards by itself
 */
export async function end(
  { link, process }: Resolver,
  { program, timers, onEvent }: AdoptionParts,
  patiently = false,
): Promise<void> {
  const answer = await link.request({ kind: 'end' }).catch(() => null);
  link.close();
  const open = answer?.relaying ?? 0;
  if (patiently && open > 0) {
    const message = `the resolver with pid ${process.pid} ends when ${open} connections that it relays have ended`;
    onEvent({ what: 'ended', ok: true, message });
    return;
  }
  await untilEnded(process, timers).catch(() => kill(process, timers));
  program.places.remove(link.directory);
}

/**
 * All that answer, but those that end already. What runs in the group and does not answer is killed: it cannot be told
 * anything any more.
 * @throws UnseenError where that cannot be found out of one
 */
export async function findResolvers(parts: AdoptionParts): Promise<readonly Resolver[]> {
  const { program, timers, onProblem } = parts;
  const inGroup = new Set(program.group.pids());
  const found: Resolver[] = [];
  const kept = { pids: new Set<number>(), directories: new Set<string>() };
  for (const directory of program.places.list()) {
    try {
      const link = await ResolverLink.open(directory, timers);
      const { pid } = link.hello;
      const startTime = inGroup.has(pid) ? startTimeOf(pid) : null;
      if (startTime === null) {
        link.close();
        onProblem(`${directory}: who answers there is no resolver of this instance (pid ${pid})`);
        continue;
      }
      kept.pids.add(pid);
      kept.directories.add(directory);
      if (link.hello.isEnding) link.close();
      else found.push({ link, process: { pid, startTime } });
    } catch (thrown) {
      const error = toTsdError(thrown);
      if (error instanceof UnseenError) {
        for (const { link } of found) link.close();
        throw error;
      }
      if (error.class === 'not-found') program.places.remove(directory);
      else onProblem(`${directory}: ${describeError(error)}`);
    }
  }
  for (const pid of inGroup) {
    const startTime = kept.pids.has(pid) ? null : startTimeOf(pid);
    if (startTime !== null) await kill({ pid, startTime }, timers);
  }
  for (const directory of program.places.list()) {
    if (!kept.directories.has(directory)) program.places.remove(directory);
  }
  return found;
}

/** Containers whose questions a resolver hears, and all sockets that it has of each. */
export type HeldSockets = ReadonlyMap<string, readonly SocketRole[]>;

export function heldBy({ link }: Resolver): HeldSockets {
  const heard = link.hello.sandboxes.filter(({ roles }) => roles.includes('udp') && roles.includes('tcp'));
  return new Map(heard.map(({ id, roles }) => [id, roles]));
}

export interface Moved {
  readonly held: HeldSockets;
  readonly relays: readonly RelayState[];
}

/** Hands all sockets of one on to another, and ends it. Questions and connections wait in the sockets meanwhile. */
export async function replace(from: Resolver, to: Resolver, parts: AdoptionParts): Promise<Moved> {
  const moved = new Map<string, readonly SocketRole[]>();
  for (const { id, roles } of from.link.hello.sandboxes) {
    if (roles.length === 0) continue;
    const sockets = await from.link.take(id);
    if (sockets.length === 0) continue;
    // Earlier programs let others bind the same address.
    for (const { role, fd } of sockets) if (role.includes('udp')) keepAddress(fd);
    await to.link.give(id, sockets).then(
      () => moved.set(id, roles),
      (error: Error) => parts.onProblem(`${id.slice(0, 12)}: its sockets were not handed on: ${error.message}`),
    );
  }
  const relays = await replaceRelays(from, to, parts);
  await end(from, parts, true);
  return { held: moved, relays };
}

async function replaceRelays(from: Resolver, to: Resolver, parts: AdoptionParts): Promise<readonly RelayState[]> {
  const moved: RelayState[] = [];
  for (const relay of from.link.hello.relays ?? []) {
    const fd = await from.link.takeRelay(relay.key);
    if (fd === null) continue;
    await to.link.giveRelay(relay, fd).then(
      () => moved.push(relay),
      (error: Error) => parts.onProblem(`${relay.key}: its socket was not handed on: ${error.message}`),
    );
  }
  return moved;
}
