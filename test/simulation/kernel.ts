/** What a kernel has of containers: processes with their shims, namespaces, links, rules. Lost in a reboot. */
import type { PublishedPort } from '../../src/drivers/contract/network.ts';
import type { Disk } from './disk.ts';
import type { Universe } from './universe.ts';

/** What a payload does, from its command line. */
interface Behaviour {
  /** Ends by itself with this code, this long after its start; null runs on. */
  readonly ends: { readonly code: number; readonly afterMs: number } | null;
  /** Ignores what asks it to end. */
  readonly stubborn: boolean;
  /** Age from which its probes pass. */
  readonly wellFromMs: number;
  /** Age from which they fail. */
  readonly sickFromMs: number;
}

/** `run`, `stubborn`, `exit CODE MS`, or `well FROM-MS TO-MS`. */
function behaviourOf(argv: readonly string[]): Behaviour {
  const [verb, first = '0', second = '0'] = argv;
  const well = verb === 'well';
  return {
    ends: verb === 'exit' ? { code: Number(first), afterMs: Number(second) } : null,
    stubborn: verb === 'stubborn',
    wellFromMs: well ? Number(first) : 0,
    sickFromMs: well ? Number(second) : Number.POSITIVE_INFINITY,
  };
}

export interface Payload {
  readonly containerId: string;
  readonly run: number;
  readonly pid: number;
  readonly startTime: string;
  readonly startedAtMs: number;
  /** As the simulation counts time. */
  readonly bornAt: number;
  readonly netns: number | null;
  readonly behaviour: Behaviour;
}

export interface Bridge {
  readonly key: string;
  readonly bridge: string;
  readonly gateway: string;
}

export interface Veth {
  readonly address: string;
  /** What it had before it took over the address of another one; null for nothing. */
  readonly former: string | null;
  readonly bridge: string;
  readonly netns: number;
}

/** An address that two containers have; new connections reach its owner. */
export interface SharedAddress {
  readonly address: string;
  /** By {@link endpointId}. */
  readonly sides: readonly [string, string];
  readonly owner: string;
}

/** A container on a network. */
export const endpointId = (containerId: string, network: string): string => `${containerId} ${network}`;
export const containerOf = (endpoint: string): string => endpoint.split(' ', 1)[0] as string;

const addressesOf = ({ address, former }: Veth): string[] => [address, former ?? ''].filter((one) => one !== '');

export class Kernel {
  readonly #universe: Universe;
  readonly #disk: Disk;
  readonly payloads = new Map<string, Payload>();
  readonly bridges = new Map<string, Bridge>();
  /** By {@link endpointId}. */
  readonly veths = new Map<string, Veth>();
  /** Addresses on their way from one container to another. */
  moves: readonly SharedAddress[] = [];
  /** Published ports in the rules, by {@link endpointId}. */
  ports = new Map<string, readonly PublishedPort[]>();
  /** Our table is there. */
  rules = true;
  /** Host ports that other programs listen on. */
  readonly foreign = new Set<number>();
  /** Namespaces that a supervisor holds. */
  held: ReadonlySet<number> = new Set();
  /** Pids of payloads whose probes fail for some reason that a restart repairs. */
  readonly sick = new Set<number>();
  onStart: (payload: Payload) => void = () => {};
  onEnd: (payload: Payload) => void = () => {};
  /** `<container id> <run>` of every payload that ever began, whatever has been removed since. */
  readonly launched = new Set<string>();
  #pids = 1000;
  #namespaces = 0;

  constructor(universe: Universe, disk: Disk) {
    this.#universe = universe;
    this.#disk = disk;
  }

  /** Gives an endpoint its link. Two that run with one address would both answer, unless it moves from one to the other. */
  link(endpoint: string, veth: Veth): void {
    const containerId = containerOf(endpoint);
    for (const [of, held] of this.veths) {
      const other = containerOf(of);
      if (held.bridge !== veth.bridge || other === containerId || !this.payloads.has(other)) continue;
      const twice = addressesOf(veth).find((address) => addressesOf(held).includes(address));
      if (twice === undefined || this.moveOf(twice, endpoint, of)) continue;
      this.#universe.breaks(`${containerId.slice(0, 12)} gets ${twice}, which ${other.slice(0, 12)} has`);
    }
    this.veths.set(endpoint, veth);
  }

  moveOf(address: string, one: string, other: string): SharedAddress | undefined {
    return this.moves.find(
      (move) => move.address === address && move.sides.includes(one) && move.sides.includes(other),
    );
  }

  /** Replaces the move between the same two. */
  share(move: SharedAddress): void {
    const known = this.moveOf(move.address, ...move.sides);
    this.moves = [...this.moves.filter((one) => one !== known), move];
  }

  /** The addresses that an endpoint shares are the other one's alone. */
  endMoves(endpoint: string): void {
    const ended = this.moves.filter(({ sides }) => sides.includes(endpoint));
    const veth = this.veths.get(endpoint);
    if (veth && ended.some(({ address }) => address === veth.address))
      this.veths.set(endpoint, { ...veth, address: veth.former ?? '', former: null });
    this.moves = this.moves.filter((move) => !ended.includes(move));
  }

  /** Endpoints of a container that have a link or rules. */
  endpointsOf(containerId: string): string[] {
    const all = new Set([...this.veths.keys(), ...this.ports.keys()]);
    return [...all].filter((endpoint) => containerOf(endpoint) === containerId);
  }

  portsOf(containerId: string): readonly PublishedPort[] {
    return this.endpointsOf(containerId).flatMap((endpoint) => this.ports.get(endpoint) ?? []);
  }

  newNamespace(): number {
    return ++this.#namespaces;
  }

  /** A shim with its payload. */
  launch(containerId: string, run: number, argv: readonly string[], netns: number | null): Payload {
    const pid = ++this.#pids;
    const { wallMs } = this.#universe.now();
    const behaviour = behaviourOf(argv);
    const born = { startTime: String(pid), startedAtMs: wallMs, bornAt: this.#universe.elapsedMs };
    const payload = { containerId, run, pid, ...born, netns, behaviour };
    if (this.payloads.has(containerId)) this.#universe.breaks(`two payloads of container ${containerId.slice(0, 12)}`);
    this.payloads.set(containerId, payload);
    this.#disk.begun.add(`${containerId} ${run}`);
    this.launched.add(`${containerId} ${run}`);
    this.onStart(payload);
    const { ends } = behaviour;
    if (ends) this.#universe.at(ends.afterMs, () => this.#endsItself(payload, ends.code));
    return payload;
  }

  /** What a probe finds. In the end a program that was sick has been repaired. */
  isWell({ pid, bornAt, behaviour }: Payload): boolean {
    if (this.#universe.calm) return true;
    const age = this.#universe.elapsedMs - bornAt;
    return !this.sick.has(pid) && age >= behaviour.wellFromMs && age < behaviour.sickFromMs;
  }

  /** In the end a program that failed has been repaired. */
  #endsItself(payload: Payload, code: number): void {
    if (this.#universe.calm && (code !== 0 || this.#policyOf(payload) === 'always')) return;
    this.end(payload, code);
  }

  #policyOf({ containerId }: Payload): string {
    const written = this.#disk.containers.get(containerId)?.owner?.written as
      | { restart?: { policy: string } }
      | undefined;
    const policy = written?.restart?.policy ?? 'no';
    return policy === 'unless-stopped' ? 'always' : policy;
  }

  /** @param recorded false for a killed shim: no one writes down how it ended. */
  end(payload: Payload, code: number, { oom = false, recorded = true } = {}): void {
    const { containerId, run } = payload;
    if (this.payloads.get(containerId) !== payload) return;
    this.payloads.delete(containerId);
    if (recorded) {
      const finishedAtMs = this.#universe.now().wallMs;
      this.#disk.exits.set(`${containerId} ${run}`, { exitCode: code, oomKilled: oom, finishedAtMs });
    }
    this.collect();
    this.onEnd(payload);
  }

  /** A namespace without user takes its links with it. */
  collect(): void {
    const used = new Set(this.held);
    for (const { netns } of this.payloads.values()) if (netns !== null) used.add(netns);
    for (const [id, { netns }] of this.veths) if (!used.has(netns)) this.veths.delete(id);
  }

  reboot(): void {
    const payloads = [...this.payloads.values()];
    this.payloads.clear();
    this.bridges.clear();
    this.veths.clear();
    this.moves = [];
    this.ports.clear();
    this.foreign.clear();
    this.rules = false;
    this.held = new Set();
    for (const payload of payloads) this.onEnd(payload);
  }
}
