import type { Desired, DesiredState, References } from '../../src/model/desired.ts';
import { containerSchema } from '../../src/model/kinds/container.ts';
import { networkSchema } from '../../src/model/kinds/network.ts';
import { membershipsOf } from '../../src/model/kinds/network-membership.ts';
import { volumeSchema } from '../../src/model/kinds/volume.ts';
import { networkKey, networkMode } from '../../src/model/network-mode.ts';
import type { Kind, ResourceKey, SourcePosition } from '../../src/model/resource.ts';
import { resourceKey } from '../../src/model/resource.ts';

type Written = Readonly<Record<string, unknown>>;

/** A manifest as data: what stands under `images:`, `volumes:`, `networks:` and `containers:`. */
export interface App {
  readonly images?: Readonly<Record<string, string>>;
  /** Images that one of them is built from. */
  readonly bases?: Readonly<Record<string, readonly string[]>>;
  readonly volumes?: Readonly<Record<string, Written>>;
  readonly networks?: Readonly<Record<string, Written>>;
  readonly containers?: Readonly<Record<string, Written>>;
  /** sha256 by path, for every container. */
  readonly contentHashes?: Readonly<Record<string, string>>;
}

const NO_REFERENCES: References = {
  image: null,
  volumes: {},
  networks: [],
  networkContainer: null,
  links: [],
  volumesFrom: [],
  dependsOn: [],
  bases: [],
};

const SPECS: Readonly<Record<Exclude<Kind, 'image'>, (written: Written) => unknown>> = {
  volume: (written) => volumeSchema.parse(written),
  network: (written) => networkSchema.parse(written),
  container: (written) => containerSchema.parse({ image: 'app', ...written }),
};

/** What was parsed before, by what was written: simulated edits change little, and no one changes a specification. */
const parsed = new WeakMap<Written, unknown>();

function specOf(kind: Exclude<Kind, 'image'>, written: Written): unknown {
  const known = parsed.get(written);
  if (known !== undefined) return known;
  const spec = SPECS[kind](written);
  parsed.set(written, spec);
  return spec;
}

function referencesOf(app: string, declared: App, spec: ReturnType<typeof containerSchema.parse>): References {
  const own = (kind: Kind, name: string): ResourceKey => {
    const [first = '', second] = name.split('/');
    return second === undefined ? resourceKey(kind, app, first) : resourceKey(kind, first, second);
  };
  const named = spec.volumes.filter((mount) => mount.type === 'volume' && mount.source !== null);
  const mode = networkMode(spec.network);
  return {
    image: declared.images?.[spec.image] === undefined ? null : own('image', spec.image),
    volumes: Object.fromEntries(named.map((mount) => [mount.target, own('volume', mount.source ?? '')])),
    networks: membershipsOf(spec).map(({ network }) => networkKey(app, network)),
    networkContainer: mode.type === 'container' ? own('container', mode.name) : null,
    links: spec.links.map((link) => own('container', link.target)),
    volumesFrom: spec.volumesFrom.map((from) => own('container', from.container)),
    dependsOn: spec.dependsOn.map((need) => own('container', need.container)),
    bases: [],
  };
}

/** A desired state from apps as data, each standing in `<app>.yaml`; the nth resource stands on line n. */
export function declare(apps: Readonly<Record<string, App>>, generation = 1): DesiredState {
  const resources = new Map<ResourceKey, Desired>();
  for (const [app, declared] of Object.entries(apps)) {
    let line = 0;
    const add = (kind: Kind, name: string, spec: unknown, written: unknown, references = NO_REFERENCES) => {
      const source: SourcePosition = { file: `${app}.yaml`, line: ++line, column: 3 };
      const contentHashes = kind === 'container' ? (declared.contentHashes ?? {}) : {};
      const key = resourceKey(kind, app, name);
      resources.set(key, {
        key,
        kind,
        app,
        name,
        engineName: `${app}-${name}`,
        spec: spec as Desired['spec'],
        written,
        specHash: JSON.stringify([spec, contentHashes]),
        contentHashes,
        references,
        source,
        positions: {},
      });
    };
    for (const [name, path] of Object.entries(declared.images ?? {})) {
      const bases = (declared.bases?.[name] ?? []).map((base) => resourceKey('image', app, base));
      const spec = { source: { type: 'archive', path, ref: null }, config: null };
      add('image', name, spec, path, { ...NO_REFERENCES, bases });
    }
    for (const kind of ['volume', 'network', 'container'] as const) {
      for (const [name, written] of Object.entries(declared[`${kind}s`] ?? {})) {
        const spec = specOf(kind, written);
        const references = kind === 'container' ? referencesOf(app, declared, spec as never) : NO_REFERENCES;
        add(kind, name, spec, written, references);
      }
    }
  }
  return { generation, resources };
}
