/** Metrics of each container, looked at when they are asked for. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { ContainerView } from '../../api/supervisor.ts';
import type { ResourceUsage } from '../../drivers/contract.ts';
import type { NetworkBytes } from './network-bytes.ts';

export interface ContainerSource {
  views(): readonly ContainerView[];
  /** Null for what does not run. */
  usage(view: ContainerView): ResourceUsage | null;
  /** Null where it has no network of its own. */
  network(view: ContainerView): NetworkBytes | null;
}

const LABELS = ['app', 'name'] as const;
type Label = (typeof LABELS)[number];

/** Containers that are looked at in one turn of the event loop. */
const PER_TURN = 50;

/** One family of series with a value for each container that has one. */
interface Family {
  readonly metric: Gauge<Label> | Counter<Label>;
  readonly value: (reading: Reading) => number | null;
}

interface Reading {
  readonly view: ContainerView;
  readonly usage: ResourceUsage | null;
  readonly network: NetworkBytes | null;
}

const seconds = (time: string | null): number | null => (time === null ? null : Date.parse(time) / 1000);

const GAUGES: readonly [name: string, help: string, value: Family['value']][] = [
  ['tsdocker_container_ready', '1 when it is ready.', ({ view }) => Number(view.ready)],
  [
    'tsdocker_container_start_time_seconds',
    'When the latest run began, Unix time.',
    ({ view }) => seconds(view.startedAt),
  ],
  ['tsdocker_container_last_exit_code', 'Exit code of the latest run, once it has ended.', ({ view }) => view.exitCode],
  [
    'tsdocker_container_memory_bytes',
    'Memory in use without inactive file pages; resident memory of the processes where no memory controller counts.',
    ({ usage }) => usage?.memoryBytes ?? null,
  ],
  ['tsdocker_container_pids', 'Processes and threads.', ({ usage }) => usage?.pids ?? null],
];

const COUNTERS: readonly [name: string, help: string, value: Family['value']][] = [
  ['tsdocker_container_restarts_total', 'Starts by policy since it was made or changed.', ({ view }) => view.restarts],
  ['tsdocker_container_cpu_seconds_total', 'CPU time of the present run.', ({ usage }) => usage?.cpuSeconds ?? null],
  [
    'tsdocker_container_network_receive_bytes_total',
    'Bytes received, loopback left out.',
    ({ network }) => network?.received ?? null,
  ],
  [
    'tsdocker_container_network_transmit_bytes_total',
    'Bytes sent, loopback left out.',
    ({ network }) => network?.sent ?? null,
  ],
];

export class ContainerMetrics {
  readonly #source: ContainerSource;
  readonly #phase: Gauge<Label | 'phase'>;
  readonly #families: readonly Family[];

  constructor(registry: Registry, source: ContainerSource) {
    this.#source = source;
    const registers = [registry];
    this.#phase = new Gauge({
      name: 'tsdocker_container_phase',
      help: '1 for the phase a container is in.',
      labelNames: [...LABELS, 'phase'],
      registers,
    });
    this.#families = [
      ...GAUGES.map(([name, help, value]) => ({
        metric: new Gauge({ name, help, labelNames: LABELS, registers }),
        value,
      })),
      ...COUNTERS.map(([name, help, value]) => ({
        metric: new Counter({ name, help, labelNames: LABELS, registers }),
        value,
      })),
    ];
  }

  /** Looks at all containers; what the registry then writes is of now. */
  async refresh(): Promise<void> {
    const readings: Reading[] = [];
    for (const [index, view] of this.#source.views().entries()) {
      if (index % PER_TURN === PER_TURN - 1) await nextTurn();
      readings.push({ view, usage: this.#source.usage(view), network: this.#source.network(view) });
    }
    this.#phase.reset();
    for (const { metric } of this.#families) metric.reset();
    for (const reading of readings) {
      const { app, name, phase } = reading.view;
      this.#phase.set({ app, name, phase }, 1);
      for (const { metric, value } of this.#families) {
        const now = value(reading);
        if (now !== null) metric.inc({ app, name }, now);
      }
    }
  }
}
