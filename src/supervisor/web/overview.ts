/** What the page shows of the present: nothing of a specification, so no environment and no command lines. */
import { hostname } from 'node:os';
import type { InfoView } from '../../api/views/host-views.ts';
import type { ContainerView, ManifestView, NetworkView, VolumeView } from '../../api/views/resource-views.ts';
import type { DesiredState } from '../../model/desired.ts';
import { dependenciesOf, isContainer } from '../../reconcile/plan/references.ts';
import type { LastPlanView } from '../last-plan.ts';

export interface Overview {
  readonly host: string;
  readonly version: string;
  readonly generation: number;
  readonly running: number;
  readonly containers: readonly ContainerView[];
  readonly volumes: readonly VolumeView[];
  readonly networks: readonly NetworkView[];
  readonly manifests: readonly ManifestView[];
  /** From the one that needs to the one that is needed, as `app/name`. */
  readonly links: readonly { readonly from: string; readonly to: string }[];
  readonly lastPlan: LastPlanView | null;
}

export interface OverviewSource {
  info(): InfoView;
  list(list: 'containers'): readonly ContainerView[];
  list(list: 'volumes'): readonly VolumeView[];
  list(list: 'networks'): readonly NetworkView[];
  list(list: 'manifests'): readonly ManifestView[];
}

const nameOf = (key: string): string => key.split('/').slice(1).join('/');

function links(desired: DesiredState): Overview['links'] {
  return [...desired.resources.values()]
    .filter(isContainer)
    .flatMap((container) =>
      [...new Set(dependenciesOf(container))]
        .filter((key) => key.startsWith('container/'))
        .map((key) => ({ from: nameOf(container.key), to: nameOf(key) })),
    );
}

export function overview(source: OverviewSource, desired: DesiredState, lastPlan: LastPlanView | null): Overview {
  const { version, generation, running } = source.info();
  return {
    host: hostname(),
    version,
    generation,
    running,
    containers: source.list('containers'),
    volumes: source.list('volumes'),
    networks: source.list('networks'),
    manifests: source.list('manifests'),
    links: links(desired),
    lastPlan,
  };
}
