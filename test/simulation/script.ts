/** What happens to a simulated host, as data: made from a seed, written to a file, replayed, shrunk. */

import { ERROR_CLASSES, type ErrorClass } from '../../src/model/errors/error-class.ts';
import { isBridged, networkMode } from '../../src/model/network-mode.ts';
import type { ResourceKey } from '../../src/model/resource.ts';
import type { App } from '../support/declare.ts';
import type { Asked } from './ledger.ts';
import { Chance } from './universe.ts';

export type Deed =
  /** Replaces an app, or removes it. An edit that is not valid changes nothing. */
  | { readonly do: 'edit'; readonly app: string; readonly declared: App | null }
  /** Kills the supervisor before its nth next step. */
  | { readonly do: 'crash'; readonly steps: number; readonly downMs: number }
  | { readonly do: 'restart-supervisor'; readonly downMs: number }
  | { readonly do: 'reboot'; readonly downMs: number }
  | { readonly do: 'fail'; readonly what: string; readonly class: ErrorClass; readonly times: number }
  | { readonly do: 'slow'; readonly what: string; readonly ms: number; readonly times: number }
  | { readonly do: 'exit'; readonly key: ResourceKey; readonly code: number; readonly oom: boolean }
  /** Probes of its present run fail, or pass again. */
  | { readonly do: 'health'; readonly key: ResourceKey; readonly well: boolean }
  | { readonly do: 'kill-shim'; readonly key: ResourceKey }
  | { readonly do: 'drift'; readonly what: 'veth' | 'bridge' | 'rules' | 'ports'; readonly key: ResourceKey }
  | { readonly do: 'jump'; readonly ms: number }
  | { readonly do: 'stop' | 'start'; readonly key: ResourceKey }
  | { readonly do: 'approve'; readonly key: ResourceKey }
  | { readonly do: 'foreign-port'; readonly port: number; readonly open: boolean }
  /** Null: the file is gone. */
  | { readonly do: 'source'; readonly path: string; readonly version: number | null }
  | { readonly do: 'lose-events'; readonly times: number }
  | { readonly do: 'poke'; readonly key: ResourceKey }
  | { readonly do: 'wait' }
  | Asked;

/** A deed, and how long after the one before it. */
export type Action = Deed & { readonly afterMs: number };

export interface Script {
  readonly seed: string;
  readonly actions: readonly Action[];
}

const APPS = ['blog', 'mail', 'shop'];
const CONTAINERS = ['api', 'db', 'job', 'web'];
const VOLUMES = ['data', 'logs'];
const NETWORKS = ['back', 'front'];
export const PATHS = ['/one.tar', '/two.tar', '/anonymous.tar', '/probed.tar'];
/** Of containers that clients make. */
const CLIENT_NAMES = ['one', 'six', 'ten'];
const PORTS = [8001, 8002, 8003];
const REACTIONS = ['restart', 'signal:HUP'];
const POLICIES = [
  'no',
  'always',
  'always',
  'unless-stopped',
  'on-failure',
  'on-failure:3',
  { policy: 'always', backoff: 'docker' },
  { policy: 'always', backoff: { initial: '2s', max: '10s' } },
];
/** What comes beside a container while it is updated. */
const BESIDE = ['', '', '', '', '', '.next', '.old'];
const STEPS = [
  '',
  'disk',
  'disk.container',
  'history',
  'links',
  'graph',
  'network',
  'exec',
  'exec.launch',
  'exec.adopt',
  'probe',
];

type Written = NonNullable<App['containers']>[string];

/** A container as it was, on the networks of another one. */
function withNetworksOf({ network: _one, networks: _all, ...old }: Written, { network, networks }: Written): Written {
  return { ...old, ...(networks === undefined ? { network } : { networks }) };
}

class Author {
  readonly #chance: Chance;

  constructor(seed: string) {
    this.#chance = new Chance(`${seed} script`);
  }

  maybe(purpose: string, share: number): boolean {
    return this.#chance.draw(purpose) < share;
  }

  pick<T>(purpose: string, list: readonly T[]): T {
    return this.#chance.pick(purpose, list);
  }

  below(purpose: string, limit: number): number {
    return this.#chance.below(purpose, limit);
  }

  key(): ResourceKey {
    return `container/${this.pick('app', APPS)}/${this.pick('container', CONTAINERS)}`;
  }

  /** Of something that may run. */
  #run(): ResourceKey {
    return `${this.key()}${this.pick('beside', BESIDE)}` as ResourceKey;
  }

  #command(): string[] {
    const luck = this.below('command', 12);
    if (luck < 6) return ['run'];
    if (luck === 6) return ['stubborn'];
    if (luck > 9) {
      const from = this.pick('well from', [0, 300, 4_000, 40_000]);
      return ['well', String(from), String(from + this.pick('well for', [0, 5_000, 90_000]))];
    }
    return [
      'exit',
      String(this.pick('code', [0, 0, 1, 2, 137])),
      String(this.pick('lasts', [0, 3, 200, 4_000, 15_000])),
    ];
  }

  #health() {
    const probe = {
      exec: ['probe'],
      interval: this.pick('interval', ['2s', '10s', '30s']),
      retries: this.pick('retries', [1, 3]),
      startPeriod: this.pick('start period', ['0s', '5s']),
    };
    const form = this.below('probes', 8);
    if (form === 0) return 'none';
    if (form < 5) return probe;
    return { readiness: probe, ...(form > 5 && { liveness: probe }), ...(form === 7 && { startup: probe }) };
  }

  #update(order: 'start-first' | 'stop-first') {
    return {
      order,
      timeout: this.pick('timeout', ['5s', '30s']),
      drain: this.pick('drain', ['0s', '3s']),
      onFailure: this.pick('on failure', ['rollback', 'rollback', 'hold']),
      sharedVolumes: true,
    };
  }

  /** Probes and updates; both together are what changes without downtime are made of. */
  #care(bridged: boolean) {
    if (bridged && this.maybe('without downtime', 0.25)) {
      return { health: this.#health(), update: this.#update('start-first') };
    }
    const order = bridged && this.maybe('start first', 0.6) ? 'start-first' : 'stop-first';
    return {
      ...(this.maybe('health', 0.3) && { health: this.#health() }),
      ...(this.maybe('update', 0.4) && { update: this.#update(order) }),
    };
  }

  #needs(earlier: readonly string[], app: string): string[] {
    const names = app !== 'blog' && this.maybe('need across', 0.2) ? [...earlier, 'blog/job'] : earlier;
    return names.flatMap((name) =>
      this.maybe('need', 0.15) ? [`${name}:${this.pick('condition', ['ready', 'ready', 'started', 'completed'])}`] : [],
    );
  }

  #networkOf(name: string, earlier: readonly string[], networks: readonly string[]): string {
    const luck = this.below('network', 12);
    if (luck === 0) return 'host';
    if (luck === 1) return 'none';
    if (luck === 2 && earlier.length > 0 && name !== 'api') return `container:${this.pick('shared', earlier)}`;
    return luck < 7 && networks.length > 0 ? this.pick('which network', networks) : 'bridge';
  }

  #container(app: string, name: string, earlier: readonly string[], volumes: string[], networks: string[]) {
    const network = this.#networkOf(name, earlier, networks);
    const bridged = isBridged(networkMode(network));
    const links = bridged ? earlier.filter(() => this.maybe('link', 0.4)) : [];
    if (bridged && app !== 'blog' && this.maybe('link across', 0.1)) links.push('blog/db');
    const second =
      bridged && this.maybe('several networks', 0.25) ? this.pick('second', [...networks, 'bridge']) : network;
    const mounts = volumes.filter(() => this.maybe('mount', 0.4)).map((volume) => `${volume}:/mnt/${volume}`);
    if (this.maybe('anonymous', 0.15)) mounts.push('/cache');
    return {
      image: 'app',
      command: this.#command(),
      restart: this.pick('policy', POLICIES),
      ...(second === network ? { network } : { networks: [network, second] }),
      links,
      volumes: mounts,
      ...(bridged && this.maybe('port', 0.3) && { ports: [`${this.pick('port', PORTS)}:80`] }),
      ...(bridged && this.maybe('any port', 0.1) && { ports: ['81'] }),
      ...(this.maybe('limit', 0.3) && { resources: { memory: `${16 + this.below('memory', 4)}MiB` } }),
      ...(this.maybe('label', 0.3) && { labels: { tier: String(this.below('tier', 3)) } }),
      ...(this.maybe('env', 0.3) && { env: { WORD: String(this.below('word', 3)) } }),
      ...(this.maybe('read only', 0.1) && { readOnly: true }),
      ...this.#care(bridged),
      ...(this.maybe('with dependencies', 0.3) && { onDependencyRestart: this.pick('reaction', REACTIONS) }),
      dependsOn: this.#needs(earlier, app),
      stopTimeout: this.pick('stop timeout', ['1s', '10s']),
    };
  }

  app(app: string): App {
    const volumes = VOLUMES.filter(() => this.maybe('volume', 0.5));
    const networks = NETWORKS.filter(() => this.maybe('declare network', 0.5));
    const names = CONTAINERS.filter(() => this.maybe('declare', 0.6));
    const containers = names.map((name, index) => {
      return [name, this.#container(app, name, names.slice(0, index), volumes, networks)] as const;
    });
    return {
      images: { app: this.pick('path', PATHS) },
      volumes: Object.fromEntries(volumes.map((name) => [name, this.#volume()])),
      networks: Object.fromEntries(networks.map((name) => [name, this.#network(app, name)])),
      containers: Object.fromEntries(containers),
    };
  }

  /** Small ones have room for all containers of an app with what is beside them, and for no address that is left behind. */
  #network(app: string, name: string) {
    const subnet = `10.80.${APPS.indexOf(app)}.${NETWORKS.indexOf(name) * 16}/28`;
    return { ...(this.maybe('icc', 0.3) && { icc: false }), ...(this.maybe('small', 0.4) && { subnet }) };
  }

  #volume() {
    return {
      onRemove: this.maybe('delete', 0.4) ? 'delete' : 'keep',
      ...(this.maybe('adopt', 0.2) && { adopt: true }),
    };
  }

  /** A deed and its share among all. */
  #deeds(): readonly (readonly [number, () => Deed])[] {
    const app = () => this.pick('app', APPS);
    const downMs = () => this.pick('down', [0, 100, 2_000, 70_000]);
    return [
      [22, () => this.#edit(app())],
      [3, () => ({ do: 'edit', app: app(), declared: null })],
      [12, () => ({ do: 'crash', steps: this.below('steps', this.pick('far', [3, 30, 200])), downMs: downMs() })],
      [2, () => ({ do: 'restart-supervisor', downMs: downMs() })],
      [2, () => ({ do: 'reboot', downMs: downMs() })],
      [
        10,
        () => ({
          do: 'fail',
          what: this.pick('what', STEPS),
          class: this.pick('class', ERROR_CLASSES),
          times: 1 + this.below('times', 4),
        }),
      ],
      [
        5,
        () => ({
          do: 'slow',
          what: this.pick('what', STEPS),
          ms: this.pick('slow', [500, 5_000, 60_000]),
          times: 1 + this.below('times', 3),
        }),
      ],
      [
        12,
        () => ({ do: 'exit', key: this.#run(), code: this.pick('code', [0, 1, 2, 139]), oom: this.maybe('oom', 0.1) }),
      ],
      [4, () => ({ do: 'health', key: this.#run(), well: this.maybe('well', 0.3) })],
      [3, () => ({ do: 'kill-shim', key: this.#run() })],
      [6, () => ({ do: 'drift', what: this.pick('drift', ['veth', 'bridge', 'rules', 'ports']), key: this.key() })],
      [2, () => ({ do: 'jump', ms: this.pick('jump', [-86_400_000, -60_000, 5_000, 86_400_000]) })],
      [4, () => ({ do: 'stop', key: this.key() })],
      [5, () => ({ do: 'start', key: this.key() })],
      [3, () => ({ do: 'approve', key: `volume/${app()}/${this.pick('volume', VOLUMES)}` })],
      [2, () => ({ do: 'foreign-port', port: this.pick('port', PORTS), open: this.maybe('open', 0.5) })],
      [
        3,
        () => ({
          do: 'source',
          path: this.pick('path', PATHS),
          version: this.maybe('gone', 0.3) ? null : this.below('version', 3),
        }),
      ],
      [2, () => ({ do: 'lose-events', times: 1 + this.below('times', 3) })],
      [2, () => ({ do: 'poke', key: this.key() })],
      [4, () => ({ do: 'wait' })],
    ];
  }

  readonly #written = new Map<string, App>();

  /** Often the app of before with another container here and there. */
  #edit(app: string): Deed {
    const fresh = this.app(app);
    const before = this.#written.get(app);
    const declared = before && this.maybe('small edit', 0.7) ? this.#mixed(before, fresh) : fresh;
    this.#written.set(app, declared);
    return { do: 'edit', app, declared };
  }

  #mixed(before: App, fresh: App): App {
    const name = this.pick('edited', CONTAINERS);
    const { [name]: old, ...others } = before.containers ?? {};
    const made = fresh.containers?.[name];
    const again = old && made && this.maybe('only networks', 0.3) ? withNetworksOf(old, made) : made;
    return {
      ...before,
      volumes: { ...fresh.volumes, ...before.volumes },
      networks: { ...fresh.networks, ...before.networks },
      containers: { ...others, ...(again && { [name]: again }) },
    };
  }

  deed(): Deed {
    const deeds = this.#deeds();
    let left = this.below(
      'deed',
      deeds.reduce((sum, [share]) => sum + share, 0),
    );
    for (const [share, make] of deeds) {
      left -= share;
      if (left < 0) return make();
    }
    return { do: 'wait' };
  }

  /** A container of a client, and what the client and the world do with it. */
  clientDeed(): Deed {
    const name = this.pick('client name', CLIENT_NAMES);
    const key = `container/@docker/${name}` as ResourceKey;
    const luck = this.below('client deed', 16);
    if (luck < 5) return this.#clientCreate(name);
    if (luck < 10) return { do: 'start', key };
    if (luck === 10) return { do: 'stop', key };
    if (luck < 13) return { do: 'client-remove', name, force: this.maybe('force', 0.7) };
    if (luck < 15) return { do: 'client-rename', name, to: this.pick('client name', CLIENT_NAMES) };
    return { do: 'exit', key, code: this.pick('client code', [0, 1]), oom: false };
  }

  #clientCreate(name: string): Deed {
    const autoRemove = this.maybe('auto remove', 0.3);
    const mode = this.below('client network', 8);
    // Others link to it and share its network.
    const isShared = name === 'one';
    const network = isShared || mode > 2 ? 'bridge' : mode === 0 ? 'host' : mode === 1 ? 'none' : 'container:one';
    const links = network === 'bridge' && this.maybe('client link', 0.2) ? ['one'] : [];
    const written = {
      command: this.#command(),
      restart: autoRemove ? 'no' : this.pick('policy', POLICIES),
      network,
      links: isShared ? [] : links,
      ...(network === 'bridge' && this.maybe('client port', 0.2) && { ports: ['81'] }),
      stopTimeout: '1s',
    };
    return { do: 'client-create', name, written, autoRemove };
  }

  afterMs(): number {
    return this.pick('pace', [0, 0, 2, 10, 50, 500, 3_000, 20_000]);
  }
}

/** @param clients whether clients of the Docker API take part; what else happens is the same */
export function writeScript(seed: string, length: number, clients = false): Script {
  const author = new Author(seed);
  const first = APPS.map((app): Action => ({ do: 'edit', app, declared: author.app(app), afterMs: 0 }));
  const rest = Array.from({ length }, (): Action[] => [
    { ...author.deed(), afterMs: author.afterMs() },
    ...(clients && author.maybe('client', 0.5)
      ? [{ ...author.clientDeed(), afterMs: author.pick('client pace', [0, 1, 5, 50]) }]
      : []),
  ]).flat();
  return { seed, actions: [...first, ...rest] };
}
