/** How the lists of `get` look: their names, aliases and columns. */
import type {
  ContainerView,
  ImageView,
  ListName,
  ManifestView,
  NetworkView,
  ViewOfKind,
  VolumeView,
} from '../../api/views/resource-views.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { formatPosition, type SourcePosition } from '../../model/resource.ts';
import type { Phase } from '../../model/status/phases.ts';
import type { Column } from './table.ts';
import { formatAge, formatBytes, type Style } from './text.ts';

interface Look {
  readonly wide: boolean;
  readonly nowMs: number;
}

interface ListView<Row> {
  /** Names that select a row; the first is the one to show. `APP/` selects what an app has. */
  readonly names: (row: Row) => readonly string[];
  readonly columns: (look: Look) => readonly Column<Row>[];
}

export const LIST_ALIASES: Readonly<Record<ListName, readonly string[]>> = {
  containers: ['container', 'c'],
  images: ['image', 'i'],
  volumes: ['volume', 'v'],
  networks: ['network', 'n'],
  manifests: ['manifest', 'm'],
};

/** @throws TsdError TSD_BAD_REQUEST for a word that names no list. */
export function listOf(word: string): ListName {
  for (const [list, aliases] of Object.entries(LIST_ALIASES)) {
    if (list === word || aliases.includes(word)) return list as ListName;
  }
  throw new TsdError('TSD_BAD_REQUEST', `there is no list named ${word}`, {
    hint: `For a container of that name: \`tsdocker get containers ${word}\`. Lists: ${Object.keys(LIST_ALIASES).join(', ')}.`,
  });
}

const PHASE_STYLE: Readonly<Record<Phase | ImageView['phase'] | VolumeView['phase'], Style | null>> = {
  Pending: 'yellow',
  Creating: 'yellow',
  Running: 'green',
  Ready: 'green',
  Paused: 'yellow',
  Stopping: 'yellow',
  Exited: null,
  Released: null,
  BackingOff: 'red',
  Failed: 'red',
};
const STATE_STYLE = { Active: 'green', Rejected: 'red', Held: 'yellow' } as const;

const text = (value: string | number | null) => (value === null ? '-' : String(value));
const position = (source: SourcePosition | null) => (source === null ? '-' : formatPosition(source));
const shortId = (id: string | null) => (id === null ? '-' : id.slice(0, 12));
/** A resource without an app has only its name. */
const appNames = ({ app, name }: { readonly app: string; readonly name: string }) =>
  app === '' ? [name] : [`${app}/${name}`, name, `${app}/`];

function containerColumns({ wide, nowMs }: Look): readonly Column<ContainerView>[] {
  return [
    { title: 'NAME', value: (c) => c.name, min: 12 },
    { title: 'APP', value: (c) => c.app, min: 8, leaveOut: 0 },
    { title: 'PHASE', value: (c) => c.phase, style: (c) => PHASE_STYLE[c.phase] },
    { title: 'READY', value: (c) => (c.ready ? 'yes' : 'no') },
    { title: 'EXIT', value: (c) => text(c.exitCode), leaveOut: 4 },
    { title: 'RESTARTS', value: (c) => String(c.restarts), leaveOut: 1 },
    {
      title: 'SINCE',
      value: (c) => formatAge(c.phase === 'Running' ? c.startedAt : (c.finishedAt ?? c.startedAt), nowMs),
    },
    { title: 'ADDRESS', value: (c) => text(c.address), leaveOut: 5 },
    { title: 'PORTS', value: (c) => c.ports.join(', '), min: 15, leaveOut: 3 },
    ...(wide ? wideContainerColumns : []),
    { title: 'IMAGE', value: (c) => c.image, min: 20, keepEnd: true, leaveOut: 6 },
    { title: 'MESSAGE', value: (c) => c.message, min: 20, leaveOut: 2 },
  ];
}

/** `Parked: DependencyNotReady`; readiness has a column of its own. */
function conditions({ conditions: all }: Pick<ContainerView, 'conditions'>): string {
  return all
    .filter(({ type, status }) => type !== 'Ready' && status)
    .map(({ type, reason }) => `${type}: ${reason}`)
    .join(', ');
}

const CONDITIONS = { title: 'CONDITIONS', value: conditions };

/** `back 10.80.0.2 fd00::2, front 10.81.0.2`. */
function networks({ endpoints = [] }: ContainerView): string {
  const bare = (address: string | null): string => (address === null ? '' : ` ${address.split('/', 1)[0]}`);
  return endpoints.map(({ network, ipv4, ipv6 }) => `${network}${bare(ipv4)}${bare(ipv6)}`).join(', ');
}

const wideContainerColumns: readonly Column<ContainerView>[] = [
  { title: 'NETWORKS', value: networks },
  { title: 'ENGINE NAME', value: (c) => c.engineName },
  { title: 'ID', value: (c) => shortId(c.id) },
  { title: 'PID', value: (c) => text(c.pid) },
  CONDITIONS,
  { title: 'SOURCE', value: (c) => position(c.source) },
];

/** Reproducible images are created at the epoch: their age means nothing. */
const isDated = (created: string | null): boolean => created !== null && Date.parse(created) > 0;

function imageColumns({ wide, nowMs }: Look): readonly Column<ImageView>[] {
  return [
    { title: 'NAME', value: (i) => i.name, min: 12, keepEnd: true },
    { title: 'APP', value: (i) => i.app, min: 8, leaveOut: 2 },
    { title: 'PHASE', value: (i) => i.phase, style: (i) => PHASE_STYLE[i.phase] },
    { title: 'TAGS', value: (i) => i.tags.join(', '), min: 16, keepEnd: true, leaveOut: 3 },
    { title: 'ID', value: (i) => (wide ? text(i.id) : shortId(i.id)) },
    { title: 'SIZE', value: (i) => (i.size === null ? '-' : formatBytes(i.size)) },
    {
      title: 'CREATED',
      value: (i) => (isDated(i.created) ? `${formatAge(i.created, nowMs)} ago` : '-'),
      leaveOut: 4,
    },
    ...(wide ? [CONDITIONS, { title: 'SOURCE', value: (i: ImageView) => position(i.source) }] : []),
    { title: 'MESSAGE', value: (i) => i.message, min: 20, leaveOut: 1 },
  ];
}

function volumeColumns({ wide }: Look): readonly Column<VolumeView>[] {
  return [
    { title: 'NAME', value: (v) => v.name, min: 12 },
    { title: 'APP', value: (v) => v.app, min: 8 },
    { title: 'PHASE', value: (v) => v.phase, style: (v) => PHASE_STYLE[v.phase] },
    { title: 'ID', value: (v) => shortId(v.id), leaveOut: 2 },
    { title: 'USED BY', value: (v) => v.usedBy.join(', '), min: 12 },
    ...(wide
      ? [
          { title: 'PATH', value: (v: VolumeView) => v.path },
          CONDITIONS,
          { title: 'SOURCE', value: (v: VolumeView) => position(v.source) },
        ]
      : []),
    { title: 'MESSAGE', value: (v) => v.message, min: 20, leaveOut: 1 },
  ];
}

function networkColumns({ wide }: Look): readonly Column<NetworkView>[] {
  return [
    { title: 'NAME', value: (n) => n.name, min: 12 },
    { title: 'APP', value: (n) => n.app, min: 8 },
    { title: 'PHASE', value: (n) => n.phase, style: (n) => PHASE_STYLE[n.phase] },
    { title: 'DRIVER', value: (n) => n.driver, leaveOut: 4 },
    { title: 'SUBNET', value: (n) => text(n.subnet) },
    { title: 'IPV6 SUBNET', value: (n) => text(n.subnet6), leaveOut: 5 },
    { title: 'GATEWAY', value: (n) => text(n.gateway), leaveOut: 6 },
    { title: 'BRIDGE', value: (n) => n.bridge, leaveOut: 3 },
    { title: 'CONTAINERS', value: (n) => String(n.containers), leaveOut: 2 },
    ...(wide ? [CONDITIONS, { title: 'SOURCE', value: (n: NetworkView) => position(n.source) }] : []),
    { title: 'MESSAGE', value: (n) => n.message, min: 20, leaveOut: 1 },
  ];
}

/** `sources changed since generation 4: ./app.conf`. */
export function changedSince({ generation, files, secrets }: NonNullable<ManifestView['changed']>): string {
  const named = [...files, ...secrets.map((path) => `secret ${path}`)];
  return `sources changed since generation ${generation}: ${named.join(', ')}`;
}

/** `line:column: message`, with the file where it is another one. */
function firstIssue({ file, issues, warnings, held, changed }: ManifestView): string {
  const all = issues.length > 0 ? issues : warnings;
  const [first] = all;
  if (held !== null) return held;
  // Of a supervisor of before nothing is known of that.
  if (first === undefined) return changed ? changedSince(changed) : '';
  const place = `${first.file === file ? '' : `${first.file}:`}${first.line}:${first.column}`;
  const more = all.length > 1 ? ` (and ${all.length - 1} more)` : '';
  return `${issues.length > 0 ? '' : 'warning: '}${place}: ${first.message}${more}`;
}

function manifestColumns(): readonly Column<ManifestView>[] {
  return [
    { title: 'FILE', value: (m) => m.file, min: 16, keepEnd: true },
    { title: 'APP', value: (m) => text(m.app), min: 8, leaveOut: 2 },
    { title: 'ORIGIN', value: (m) => m.origin, leaveOut: 4 },
    { title: 'STATE', value: (m) => m.state, style: (m) => STATE_STYLE[m.state] },
    { title: 'GENERATION', value: (m) => String(m.generation), leaveOut: 5 },
    { title: 'WARNINGS', value: (m) => String(m.warnings.length), leaveOut: 3 },
    { title: 'MESSAGE', value: firstIssue, min: 24, leaveOut: 1 },
  ];
}

export const VIEWS: { readonly [L in ListName]: ListView<ViewOfKind[L]> } = {
  containers: { names: (c) => [...appNames(c), c.engineName], columns: containerColumns },
  images: { names: (i) => [...appNames(i), ...i.tags], columns: imageColumns },
  volumes: { names: appNames, columns: volumeColumns },
  networks: { names: appNames, columns: networkColumns },
  manifests: { names: (m) => (m.app === null ? [m.file] : [m.file, m.app, `${m.app}/`]), columns: manifestColumns },
};
