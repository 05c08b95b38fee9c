/**
 * Sees to it that one resolver runs while containers ask it or ports are relayed, and that it knows what it answers and relays.
 * What lives on without a supervisor is the resolver's: sockets, names and servers. Here is what brings them to the present.
 */
import type { Networks } from '../../drivers/contract/network.ts';
import { readNameServers } from '../../ffi/host/name-servers.ts';
import { type Clock, type Timers, within } from '../../model/clock.ts';
import { describeError, TsdError, toTsdError } from '../../model/errors/errors.ts';
import { append } from '../../model/lists.ts';
import type { ZoneBook } from '../../reconcile/names/zone-book.ts';
import type { NameService } from '../../reconcile/ops/containers/run-record.ts';
import { type RelayState, type SocketRole, type Stats, serversAt } from '../../resolver/protocol.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { RelaySync } from './relay-sync.ts';
import { end, findResolvers, heldBy, kill, type Resolver, replace } from './resolver-adoption.ts';
import type { ResolverEvent } from './resolver-event.ts';
import { ResolverLink } from './resolver-link.ts';
import { identityOf, type ResolverProgram, startResolver } from './resolver-program.ts';
import { ResolverSync } from './resolver-sync.ts';
import { SandboxSockets } from './sandbox-sockets.ts';

/** How often the servers of the host are looked at, and how the resolver is. */
const LOOK_MS = 2_000;
/** A resolver without a container is kept for the next one for so long. */
const IDLE_MS = 60_000;
/** One that ran for so long has not failed from the beginning. */
const WELL_MS = 10_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;
/** Containers, each with up to 26 sockets. */
const OPEN_AT_A_TIME = 10;
/** For the last requests to a resolver that stays. */
const LAST_MS = 1_000;
/** A take-over is tried so often. */
const TAKE_OVERS = 2;
/** After so many failures in a row new runs do without it. */
const GIVEN_UP = 3;

export interface ResolverParts {
  readonly program: ResolverProgram;
  readonly book: ZoneBook;
  readonly network: Pick<Networks, 'sandbox' | 'openNameSockets' | 'openSockets' | 'relays'>;
  readonly containers: Pick<ContainerStore, 'get' | 'damaged'>;
  readonly clock: Clock;
  readonly timers: Timers;
  /** What went wrong beside its coming and going. */
  readonly onProblem: (text: string) => void;
  readonly onEvent: (event: ResolverEvent) => void;
}

export interface ResolverView {
  readonly state: 'off' | 'starting' | 'running' | 'failing';
  readonly pid: number | null;
  /** How many containers ask it. */
  readonly sandboxes: number;
  /** How many sockets of the host it relays. */
  readonly relays: number;
  /** Why it does not run, in words. */
  readonly problem: string | null;
  readonly restarts: number;
  /** As it said a moment ago; null before. */
  readonly stats: Stats | null;
}

export class ResolverService implements NameService {
  readonly #parts: ResolverParts;
  readonly #sockets: SandboxSockets;
  /** Of the program on the disk; null where it is missing. */
  readonly #identity: string | null;
  /** What a resolver that was found has of each container; null while that is not known. */
  #held: Map<string, readonly SocketRole[]> | null = null;
  #resolver: Resolver | null = null;
  #sync: ResolverSync | null = null;
  /** Of what is under way; starts and ends follow one another. */
  #work: Promise<void> = Promise.resolve();
  #phase: 'new' | 'ready' | 'busy' | 'waiting' | 'closed' = 'new';
  #scheduled = false;
  #failures = 0;
  #restarts = 0;
  #problem: string | null = null;
  #startedAtMs = 0;
  #idleSinceMs: number | null = null;
  #stats: Stats | null = null;
  #cancel = (): void => {};
  #cancelLook = (): void => {};

  constructor(parts: ResolverParts) {
    this.#parts = parts;
    this.#identity = identityOf(parts.program);
    if (this.#identity === null) this.#problem = `the program of the resolver is missing: ${parts.program.path}`;
    this.#sockets = new SandboxSockets({
      network: parts.network,
      heldRoles: (id) =>
        this.#held === null
          ? { mayBe: parts.containers.get(id)?.resolver != null, roles: [] }
          : { mayBe: this.#held.has(id), roles: this.#held.get(id) ?? [] },
    });
    parts.network.relays.onChange(() => this.#schedule());
  }

  serve(containerId: string): boolean {
    if (this.#phase === 'new' || this.#phase === 'closed') return false;
    if (this.#identity === null || this.#failures >= GIVEN_UP) return false;
    const opened = this.#sockets.open(containerId);
    if (opened) this.#schedule();
    else this.#parts.onProblem(`${containerId.slice(0, 12)}: ${this.#sockets.problem(containerId) ?? 'no namespace'}`);
    return opened;
  }

  /** Why the names of a container are not answered by the resolver; null where they are. */
  problemOf(containerId: string): string | null {
    if (this.#parts.containers.get(containerId)?.network == null) return null;
    return this.#sockets.problem(containerId) ?? this.#problem;
  }

  view(): ResolverView {
    const { askers } = this.#parts.book;
    const failing = this.#problem !== null;
    const none = this.#isAsked ? 'starting' : 'off';
    return {
      state: this.#resolver !== null ? 'running' : failing ? 'failing' : none,
      pid: this.#resolver?.process.pid ?? null,
      sandboxes: askers.size,
      relays: this.#parts.network.relays.wanted.size,
      problem: this.#problem,
      restarts: this.#restarts,
      stats: this.#resolver === null ? null : this.#stats,
    };
  }

  /** Takes over the resolver of an earlier supervisor; does not wait. */
  begin(): void {
    if (this.#identity === null && this.#problem !== null) this.#parts.onProblem(this.#problem);
    this.#phase = 'busy';
    this.#parts.book.begin(() => this.#schedule());
    this.#enqueue(() => this.#adopt());
    this.#look();
  }

  /** @param isNeeded false: no container runs that asks it, and it ends. */
  async close(isNeeded: () => boolean | Promise<boolean>): Promise<void> {
    this.#phase = 'closed';
    this.#cancel();
    this.#cancelLook();
    await this.#work;
    const resolver = this.#resolver;
    this.#resolver = null;
    await this.#last(resolver);
    this.#sockets.lost();
    if (!(await isNeeded())) {
      if (resolver !== null) await end(resolver, this.#parts);
      await this.#parts.program.group.clear();
    } else resolver?.link.close();
  }

  /** What was decided until now is done; a resolver that hangs is not waited for. */
  async #last(resolver: Resolver | null): Promise<void> {
    if (resolver === null || this.#sync === null) return;
    this.#sync.changes();
    const done = resolver.link.request({ kind: 'stats' }).catch(() => null);
    await within(this.#parts.timers, LAST_MS, done, null);
  }

  /** Whether anything needs it. */
  get #isAsked(): boolean {
    const { book, network } = this.#parts;
    return book.askers.size > 0 || book.areSomeUnknown || network.relays.wanted.size > 0;
  }

  #enqueue(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((thrown: unknown) => {
      this.#failed(toTsdError(thrown));
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#phase === 'new' || this.#phase === 'closed') return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#phase !== 'ready') return;
    if (this.#sync !== null) this.#sync.changes();
    else if (this.#identity !== null && this.#isAsked) this.#begin(() => this.#start());
  }

  /** Nothing else begins meanwhile. */
  #begin(work: () => Promise<void>): void {
    this.#phase = 'busy';
    this.#enqueue(work);
  }

  async #adopt(): Promise<void> {
    await this.#takeOver(await findResolvers(this.#parts));
  }

  async #takeOver(found: readonly Resolver[]): Promise<void> {
    const same = found.find(({ link }) => link.hello.program === this.#identity);
    const current =
      same ?? (this.#identity === null || found.length === 0 ? found[0] : await this.#successor(found[0]));
    const held = new Map(current === undefined ? [] : heldBy(current));
    const relays = [...(current?.link.hello.relays ?? [])];
    for (const other of found) {
      if (other === current || current === undefined) continue;
      const moved = await replace(other, current, this.#parts);
      for (const [id, roles] of moved.held) held.set(id, roles);
      append(relays, moved.relays);
      const message = `the resolver with pid ${other.process.pid} handed its sockets to pid ${current.process.pid}`;
      this.#parts.onEvent({ what: 'replaced', ok: true, message });
    }
    this.#held = held;
    if (this.#identity === null && current === undefined) this.#parts.network.relays.lost();
    else this.#parts.network.relays.held(relays.map(({ key }) => key));
    if (current === undefined) return this.#ready();
    await this.#open();
    this.#use(current, relays, found.includes(current) ? 'adopted' : 'started');
  }

  /** One of this program in the place of an earlier one; that one where it does not start. */
  async #successor(before: Resolver | undefined): Promise<Resolver | undefined> {
    try {
      return await this.#launch();
    } catch (error) {
      this.#parts.onProblem(`the resolver of another version goes on: ${describeError(toTsdError(error))}`);
      return before;
    }
  }

  async #start(): Promise<void> {
    const left = await this.#leftBehind();
    if (left.length > 0) return this.#takeOver(left);
    this.#held = new Map();
    // Questions wait in them while it starts.
    this.#parts.network.relays.bind();
    await this.#open();
    this.#use(await this.#launch(), [], 'started');
  }

  /** What a take-over that failed has left: each has sockets of some containers. Where that failed again, all are ended. */
  async #leftBehind(): Promise<readonly Resolver[]> {
    const found = await findResolvers(this.#parts);
    if (this.#failures < TAKE_OVERS) return found;
    for (const each of found) await end(each, this.#parts);
    return [];
  }

  /** Opens the sockets of all that ask, a few at a time. */
  async #open(): Promise<void> {
    let opened = 0;
    for (const [id, { forwarding }] of [...this.#parts.book.askers]) {
      if (this.#sockets.open(id)) this.#sockets.dial(id, forwarding);
      if (++opened % OPEN_AT_A_TIME === 0) await new Promise(setImmediate);
    }
  }

  async #launch(): Promise<Resolver> {
    const { program, timers } = this.#parts;
    const identity = this.#identity;
    if (identity === null) throw new TsdError('TSD_RESOLVER', this.#problem ?? '', { class: 'precondition' });
    const { process, directory } = startResolver(program, identity);
    try {
      return { process, link: await ResolverLink.open(directory, timers) };
    } catch (error) {
      await kill(process, timers);
      program.places.remove(directory);
      throw error;
    }
  }

  #use(resolver: Resolver, relays: readonly RelayState[], what: 'started' | 'adopted'): void {
    const { book, containers, network, onProblem, onEvent, clock } = this.#parts;
    this.#resolver = resolver;
    // Whoever closes it waits for this, and does with the resolver what is to be done.
    if (this.#phase === 'closed') return;
    this.#startedAtMs = clock.now().bootMs;
    this.#sync = new ResolverSync({
      link: resolver.link,
      book,
      sockets: this.#sockets,
      relays: new RelaySync({ link: resolver.link, relays: network.relays, onProblem }, relays),
      isReadable: (id) => containers.damaged(id) === undefined,
      onProblem,
    });
    resolver.link.onEnd((error) => this.#lost(resolver, error));
    this.#sync.hostServers(serversAt(readNameServers() ?? []));
    this.#sync.all();
    onEvent({ what, ok: true, message: `the resolver runs with pid ${resolver.process.pid}` });
    this.#problem = null;
    this.#ready();
  }

  #ready(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'ready';
    this.#schedule();
  }

  #lost(resolver: Resolver, why: TsdError): void {
    if (this.#resolver !== resolver) return;
    this.#resolver = null;
    this.#sync = null;
    if (this.#phase === 'closed') return;
    this.#begin(async () => {
      const { timers, program, clock } = this.#parts;
      await kill(resolver.process, timers);
      program.places.remove(resolver.link.directory);
      if (clock.now().bootMs - this.#startedAtMs >= WELL_MS) this.#failures = 0;
      throw why;
    });
  }

  /** It is started again: at once where it had run well, else after a pause, in which its sockets are closed. */
  #failed(error: TsdError): void {
    const { onEvent, timers, network } = this.#parts;
    this.#sockets.lost();
    network.relays.lost();
    this.#held = new Map();
    this.#restarts++;
    const pause = this.#failures === 0 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), LONGEST_PAUSE_MS);
    this.#failures++;
    const text = describeError(error);
    const isNews = text !== this.#problem;
    this.#problem = text;
    if (this.#phase === 'closed') return;
    if (isNews) onEvent({ what: 'failed', ok: false, message: text });
    this.#phase = 'waiting';
    this.#cancel = timers.after(pause, () => this.#ready());
  }

  /** Looks from time to time at what tells nothing by itself. */
  #look(): void {
    this.#cancelLook = this.#parts.timers.after(LOOK_MS, () => {
      this.#look();
      const servers = this.#sync === null ? null : readNameServers();
      if (servers !== null) this.#sync?.hostServers(serversAt(servers));
      this.#parts.book.retake();
      this.#sync?.retry();
      this.#ask();
      this.#rest();
    });
  }

  #ask(): void {
    const resolver = this.#resolver;
    if (resolver === null) return;
    if (this.#failures > 0 && this.#parts.clock.now().bootMs - this.#startedAtMs >= WELL_MS) this.#failures = 0;
    resolver.link.request({ kind: 'stats' }).then(
      (stats) => {
        if (this.#resolver === resolver) this.#stats = stats;
      },
      () => {},
    );
  }

  /** Ends a resolver that nothing asks any more. */
  #rest(): void {
    const now = this.#parts.clock.now().bootMs;
    const isIdle = this.#phase === 'ready' && this.#resolver !== null && !this.#isAsked;
    this.#idleSinceMs = isIdle ? (this.#idleSinceMs ?? now) : null;
    if (this.#idleSinceMs === null || now - this.#idleSinceMs < IDLE_MS) return;
    const resolver = this.#resolver as Resolver;
    this.#resolver = null;
    this.#sync = null;
    const message = `no container needs the resolver (pid ${resolver.process.pid}) any more`;
    this.#parts.onEvent({ what: 'ended', ok: true, message });
    this.#begin(async () => {
      await end(resolver, this.#parts);
      this.#parts.program.group.removeEmpty();
      this.#ready();
    });
  }
}
