/** Filters and limits of GET /containers/json. Pure. */
import { DockerError } from '../wire/docker-error.ts';
import { foundIn } from '../wire/pattern.ts';
import type { Filters, Query } from '../wire/query.ts';
import { type DockerState, type DockerStatus, STATUSES } from './container-state.ts';
import { newestFirst, sortable } from './created-order.ts';
import type { EndpointSettings } from './endpoint-settings.ts';
import type { MountPoint } from './mount-points.ts';

const CONTAINER_FILTERS = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
] as const;

/** What the filters look at. */
export interface Filtered {
  readonly id: string;
  readonly name: string;
  readonly created: string;
  readonly imageId: string;
  readonly state: DockerState;
  readonly labels: () => Readonly<Record<string, string>>;
  readonly networks: () => Readonly<Record<string, EndpointSettings>>;
  readonly mounts: () => readonly MountPoint[];
  /** Ports of the host: `8080/tcp`. */
  readonly published: () => readonly string[];
  /** Ports of the container: `80/tcp`. */
  readonly exposed: () => readonly string[];
}

/** What the names in filters mean. */
export interface FilterNames {
  /** When the container was made. @throws DockerError 404 */
  readonly created: (container: string) => string;
  /** Ids of the images that a name means, with those that were made from them; empty where there is none. */
  readonly images: (name: string) => ReadonlySet<string>;
}

const HEALTH = ['none', 'starting', 'healthy', 'unhealthy'];

const INTEGER = /^[+-]?\d{1,9}$/;

function check(filters: Filters): void {
  for (const status of filters.of('status'))
    if (!STATUSES.some((known) => known === status)) throw new DockerError(400, `invalid filter 'status=${status}'`);
  for (const health of filters.of('health'))
    if (!HEALTH.includes(health)) throw new DockerError(400, `unrecognized filter value for health: ${health}`);
  for (const code of filters.of('exited'))
    if (!INTEGER.test(code))
      throw new DockerError(
        400,
        `invalid filter 'exited=${code}': strconv.Atoi: parsing ${JSON.stringify(code)}: invalid syntax`,
      );
  filters.flag('is-task');
}

/** `80`, `80/udp`, `8000-8080/tcp`, as keys. @throws DockerError 400 */
function portKeys(filter: string, text: string): ReadonlySet<string> {
  const [, first = '', last = first, protocol = 'tcp'] = /^(\d+)(?:-(\d+))?(?:\/(\w+))?$/.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === '' || to < from || to > 65_535)
    throw new DockerError(400, `error while looking up for ${filter} ${text}: invalid port`);
  return new Set(Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${protocol.toLowerCase()}`));
}

function portsPass(filters: Filters, filter: 'publish' | 'expose', ports: () => readonly string[]): boolean {
  const wanted = filters.of(filter).map((text) => portKeys(filter, text));
  return wanted.length === 0 || ports().some((port) => wanted.some((keys) => keys.has(port)));
}

const isUp = ({ Running }: DockerState): boolean => Running;

function healthOf({ Health }: DockerState): string {
  return Health?.Status ?? 'none';
}

function mountPasses(mounts: readonly MountPoint[], wanted: string): boolean {
  return mounts.some(({ Name, Source, Destination }) => Destination === wanted || (Name ?? Source) === wanted);
}

function networkPasses(networks: Readonly<Record<string, EndpointSettings>>, wanted: string): boolean {
  if (wanted === '') return false;
  return Object.entries(networks).some(([name, { NetworkID }]) => name === wanted || NetworkID.startsWith(wanted));
}

/** Whether names of containers pass, with and without their slash. */
function namesThatPass(filters: Filters, names: readonly string[]): (name: string) => boolean {
  const patterns = filters.of('name');
  if (patterns.length === 0) return () => true;
  const passing = new Set<string>();
  for (const pattern of patterns) {
    const bare = foundIn(pattern, names);
    const slashed = foundIn(
      pattern,
      names.map((name) => `/${name}`),
    );
    names.forEach((name, index) => {
      if (bare[index] === true || slashed[index] === true || name === pattern) passing.add(name);
    });
  }
  return (name) => passing.has(name);
}

interface Wanted {
  readonly filters: Filters;
  readonly all: boolean;
  readonly limit: number;
}

function wantedBy(query: Query): Wanted {
  const filters = query.filters(CONTAINER_FILTERS);
  check(filters);
  const limit = query.number('limit') ?? 0;
  return { filters, limit, all: query.flag('all') || limit > 0 || filters.of('status').length > 0 };
}

/** The containers that a client asks for, newest first. @throws DockerError 400, 404 */
export function chosenContainers<T extends Filtered>(
  query: Query,
  containers: readonly T[],
  names: FilterNames,
): readonly T[] {
  const { filters, all, limit } = wantedBy(query);
  const before = filters.of('before').map(names.created);
  const since = filters.of('since').map(names.created);
  const images = filters.of('ancestor').map(names.images);
  const namePasses = namesThatPass(
    filters,
    containers.map(({ name }) => name),
  );
  const passes = (one: T): boolean =>
    (all || isUp(one.state)) &&
    filters.flag('is-task') !== true &&
    before.every((time) => sortable(one.created) < sortable(time)) &&
    since.every((time) => sortable(one.created) > sortable(time)) &&
    (images.length === 0 || images.some((ids) => ids.has(one.imageId))) &&
    filters.some('id', (id) => one.id.startsWith(id)) &&
    namePasses(one.name) &&
    filters.some('status', (status) => one.state.Status === (status as DockerStatus)) &&
    filters.some('exited', (code) => !isUp(one.state) && hasEnded(one.state) && one.state.ExitCode === Number(code)) &&
    filters.some('health', (health) => healthOf(one.state) === health) &&
    filters.labels(filters.of('label').length === 0 ? {} : one.labels()) &&
    filters.some('volume', (wanted) => mountPasses(one.mounts(), wanted)) &&
    filters.some('network', (wanted) => networkPasses(one.networks(), wanted)) &&
    portsPass(filters, 'publish', one.published) &&
    portsPass(filters, 'expose', one.exposed);
  const sorted = containers.filter(passes).sort(newestFirst);
  return limit > 0 ? sorted.slice(0, limit) : sorted;
}

const hasEnded = ({ Status }: DockerState): boolean => Status === 'exited';
