/** Lists and descriptions of what is now, each from a look at that moment. */
import type { DescribeView, ListName, ViewOfKind } from '../../api/views/resource-views.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { ObservedState } from '../../model/observed.ts';
import { type Kind, parseKey, type ResourceKey } from '../../model/resource.ts';
import type { Reading } from '../../reconcile/observe.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { History } from '../../state/history/history.ts';
import type { LogTroubles } from '../logs/forwarding/log-troubles.ts';
import type { NamedResources } from '../requests/named-resources.ts';
import type { Sources } from '../sources/sources.ts';
import { Unread } from './unread.ts';
import type { LoopState, ViewInput } from './view-input.ts';
import {
  type ContainerViewPorts,
  containerViewOf,
  containerViews,
  type ImageViewPorts,
  imageViews,
  type NetworkViewPorts,
  networkViews,
  type VolumeViewPorts,
  volumeViews,
} from './views.ts';

export interface CurrentViewPorts {
  /** Looks at everything of ours but the kernel, as {@link Reading} lets it. */
  look(reading: Reading): ObservedState;
  readonly sources: Pick<Sources, 'state' | 'generation' | 'views'>;
  readonly history: Pick<History, 'journal' | 'timeline'>;
  readonly loop: LoopState;
  readonly logTroubles: Pick<LogTroubles, 'of'>;
  readonly named: Pick<NamedResources, 'key'>;
  readonly of: {
    readonly containers: ContainerViewPorts & { readonly containers: Pick<ContainerStore, 'byKey'> };
    readonly images: ImageViewPorts;
    readonly volumes: VolumeViewPorts;
    readonly networks: NetworkViewPorts;
  };
}

const LATEST_OPS = 20;
/** Number of recent entries of a resource that are searched for its current wait. */
const RECENT_ENTRIES = 10;

export class CurrentViews {
  readonly #ports: CurrentViewPorts;

  constructor(ports: CurrentViewPorts) {
    this.#ports = ports;
  }

  list<L extends ListName>(list: L): readonly ViewOfKind[L][] {
    const { of, sources } = this.#ports;
    const input = () => this.input(new Unread());
    const views: { readonly [K in ListName]: () => readonly ViewOfKind[K][] } = {
      containers: () => containerViews(input(), of.containers),
      images: () => imageViews(input(), of.images),
      volumes: () => volumeViews(input(), of.volumes),
      networks: () => networkViews(input(), of.networks),
      manifests: () => sources.views(),
    };
    return views[list]();
  }

  /** @throws TsdError TSD_NO_SUCH_RESOURCE, TSD_AMBIGUOUS_NAME */
  describe(kind: Kind, name: string): DescribeView {
    const { history, sources, named, of } = this.#ports;
    const key = named.key(kind, name);
    const { app, name: short } = parseKey(key);
    const lists = { image: 'images', volume: 'volumes', network: 'networks' } as const;
    const view =
      kind === 'container'
        ? containerViewOf(this.input(new Unread()), of.containers, key)
        : this.list(lists[kind]).find((candidate) => candidate.app === app && candidate.name === short);
    if (!view) throw new TsdError('TSD_NO_SUCH_RESOURCE', `there is no ${kind} ${name}`);
    const declared = sources.state.resources.get(key);
    const record = of.containers.containers.byKey(key);
    return {
      kind,
      name: short,
      app,
      view,
      hint: view.hint,
      spec: declared?.spec ?? record?.owner?.written ?? null,
      specHash: declared?.specHash ?? record?.owner?.specHash ?? '',
      generation: sources.generation,
      ops: [...history.journal.ofKey(key, LATEST_OPS)].reverse().map(({ startedAtMs, op, cause, status, error }) => ({
        at: new Date(startedAtMs).toISOString(),
        op,
        cause,
        status,
        message: error?.message ?? '',
      })),
    };
  }

  /** @param unread for read-only callers, also while the disk fails; without it a failure is thrown */
  input(unread: Unread | null = null): ViewInput {
    const { look, sources, loop, history, logTroubles } = this.#ports;
    const reading: Reading = unread?.reading ?? ((read) => read());
    const holds = (key: ResourceKey) =>
      history.timeline.ofKey(key, RECENT_ENTRIES).filter(({ kind }) => kind === 'hold');
    const past = {
      heldSince: (key: ResourceKey) => reading(() => holds(key)[0]?.atMs ?? null, null),
      opSince: (key: ResourceKey) => reading(() => history.journal.ofKey(key, 1)[0]?.startedAtMs ?? null, null),
    };
    const observed = look(reading);
    return { desired: sources.state, observed, loop, past, logTroubles, reading, unread: unread ?? new Unread() };
  }
}
