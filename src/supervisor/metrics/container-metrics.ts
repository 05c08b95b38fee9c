/**
 * Metrics of each container, looked at when they are asked for, and written as text at once: a registry of thousands of
 * series is filled and written in one turn of the event loop, in which no other request is served.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ContainerView } from '../../api/views/resource-views.ts';
import type { ResourceUsage } from '../../drivers/contract/exec.ts';
import type { NetworkBytes } from './network-bytes.ts';

export interface ContainerSource {
  views(): readonly ContainerView[];
  /** Null for what does not run. */
  usage(view: ContainerView): ResourceUsage | null;
  /** Null where it has no network of its own. */
  network(view: ContainerView): NetworkBytes | null;
}

/** How long containers are looked at in one turn of the event loop. */
const TURN_MS = 4;

interface Reading {
  readonly view: ContainerView;
  readonly usage: ResourceUsage | null;
  readonly network: NetworkBytes | null;
}

/** One family of series with a value for each container that has one. */
interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly value: (reading: Reading) => number | null;
}

const seconds = (time: string | null): number | null => (time === null ? null : Date.parse(time) / 1000);

const PHASE = 'tsdocker_container_phase';

const FAMILIES: readonly Family[] = [
  { name: PHASE, type: 'gauge', help: '1 for the phase a container is in.', value: () => 1 },
  {
    name: 'tsdocker_container_ready',
    type: 'gauge',
    help: '1 when it is ready.',
    value: ({ view }) => Number(view.ready),
  },
  {
    name: 'tsdocker_container_start_time_seconds',
    type: 'gauge',
    help: 'When the latest run began, Unix time.',
    value: ({ view }) => seconds(view.startedAt),
  },
  {
    name: 'tsdocker_container_last_exit_code',
    type: 'gauge',
    help: 'Exit code of the latest run, once it has ended.',
    value: ({ view }) => view.exitCode,
  },
  {
    name: 'tsdocker_container_memory_bytes',
    type: 'gauge',
    help: 'Memory in use without inactive file pages; resident memory of the processes where no memory controller counts.',
    value: ({ usage }) => usage?.memoryBytes ?? null,
  },
  {
    name: 'tsdocker_container_pids',
    type: 'gauge',
    help: 'Processes and threads.',
    value: ({ usage }) => usage?.pids ?? null,
  },
  {
    name: 'tsdocker_container_restarts_total',
    type: 'counter',
    help: 'Starts by policy since it was made or changed.',
    value: ({ view }) => view.restarts,
  },
  {
    name: 'tsdocker_container_cpu_seconds_total',
    type: 'counter',
    help: 'CPU time of the present run.',
    value: ({ usage }) => usage?.cpuSeconds ?? null,
  },
  {
    name: 'tsdocker_container_network_receive_bytes_total',
    type: 'counter',
    help: 'Bytes received, loopback left out.',
    value: ({ network }) => network?.received ?? null,
  },
  {
    name: 'tsdocker_container_network_transmit_bytes_total',
    type: 'counter',
    help: 'Bytes sent, loopback left out.',
    value: ({ network }) => network?.sent ?? null,
  },
];

/** As the text format wants a label's value (prometheus.io, exposition formats). */
const label = (value: string): string => value.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n');

function addLines(lines: readonly string[][], reading: Reading): void {
  const { app, name, phase } = reading.view;
  const labels = `app="${label(app)}",name="${label(name)}"`;
  for (const [index, family] of FAMILIES.entries()) {
    const value = family.value(reading);
    if (value === null) continue;
    const own = family.name === PHASE ? `${labels},phase="${phase}"` : labels;
    lines[index]?.push(`${family.name}{${own}} ${value}\n`);
  }
}

/** The text exposition format of all containers as they are now, made in short turns. */
export async function containerMetrics(source: ContainerSource): Promise<string> {
  const lines: string[][] = FAMILIES.map(() => []);
  const views = source.views();
  // The list has taken its time already.
  let since = Number.NEGATIVE_INFINITY;
  const rest = async (): Promise<void> => {
    if (performance.now() - since < TURN_MS) return;
    await nextTurn();
    since = performance.now();
  };
  for (const view of views) {
    await rest();
    addLines(lines, { view, usage: source.usage(view), network: source.network(view) });
  }
  const families = FAMILIES.map(
    ({ name, type, help }, index) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines[index]?.join('')}`,
  );
  return families.join('\n');
}
