/** GET /containers/json: one entry. Pure. */
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import type { DockerState } from './container-state.ts';
import { statusText } from './container-state.ts';
import type { EndpointSettings } from './endpoint-settings.ts';
import type { MountPoint } from './mount-points.ts';
import { portList } from './ports.ts';

export interface ContainerSizes {
  /** Bytes of the writable layer, and of all layers together. */
  readonly writable: number;
  readonly all: number;
}

export interface SummaryFacts {
  readonly record: ContainerRecord;
  readonly state: DockerState;
  /** The name of its image, or `sha256:<id>` where no name means it. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly networkMode: string;
  readonly networks: Readonly<Record<string, EndpointSettings>>;
  readonly mounts: readonly MountPoint[];
  readonly annotations: Readonly<Record<string, string>> | null;
  /** Null where it was not asked for. */
  readonly sizes: ContainerSizes | null;
  readonly nowMs: number;
}

/** Arguments with spaces are in single quotes. @internal */
export function commandText({ path, args }: Pick<ContainerRecord, 'path' | 'args'>): string {
  return [path, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}

function unixSeconds(time: string): number {
  return Math.floor(Date.parse(time) / 1000);
}

/** Lists do not say which names an endpoint has. */
const inList = (settings: EndpointSettings): EndpointSettings => ({
  ...settings,
  Links: null,
  Aliases: null,
  DriverOpts: null,
  DNSNames: null,
});

export function containerSummary(facts: SummaryFacts): Readonly<Record<string, unknown>> {
  const { record, state, annotations, sizes, networks } = facts;
  return {
    Id: record.id,
    Names: [`/${record.engineName}`],
    Image: facts.image,
    ImageID: record.imageId === '' ? '' : `sha256:${record.imageId}`,
    Command: commandText(record),
    Created: unixSeconds(record.created),
    Ports: state.Running && !state.Restarting ? portList(record) : [],
    // As Go leaves a zero out.
    ...(sizes !== null && sizes.writable > 0 && { SizeRw: sizes.writable }),
    ...(sizes !== null && sizes.all > 0 && { SizeRootFs: sizes.all }),
    Labels: facts.labels,
    State: state.Status,
    Status: statusText(state, facts.nowMs),
    HostConfig: { NetworkMode: facts.networkMode, ...(annotations !== null && { Annotations: annotations }) },
    NetworkSettings: {
      Networks: Object.fromEntries(Object.entries(networks).map(([name, settings]) => [name, inList(settings)])),
    },
    Mounts: facts.mounts,
  };
}

/** Labels of the declaration; those of the image are beside them. */
export function labelsOf(
  record: ContainerRecord,
  ofImage: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return { ...ofImage, ...(record.owner ? containerSpecOf(record.owner).labels : {}) };
}
