/** Metrics for Prometheus: what the loop and its ops did, counted as it happens; the rest is looked at when asked. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { raceCounts } from '../../ffi/call/retry.ts';
import type { OpResult } from '../../reconcile/executor.ts';
import type { PassReport } from '../../reconcile/loop/controller.ts';
import type { LoopPausesView } from '../loop-pauses.ts';
import type { ResolverView } from '../resolver/resolver-service.ts';
import { type ContainerSource, containerMetrics } from './container-metrics.ts';
import { resolverMetrics } from './resolver-metrics.ts';

export interface LoopNumbers {
  /** Keys that wait to be looked at, due or not. */
  readonly queued: number;
  /** Keys with ops that have not ended. */
  readonly inFlight: number;
  readonly generation: number;
  /** Declared resources by kind. */
  readonly resources: Readonly<Record<string, number>>;
}

export interface MetricsOptions {
  readonly version: string;
  readonly loop: () => LoopNumbers;
  readonly containers: ContainerSource;
  readonly pauses: () => LoopPausesView;
  readonly resolver: () => ResolverView;
}

/** A pass over one key takes well under a millisecond; one over a thousand must stay under 20 ms. */
const PASS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
/** From a rename to a pull. */
const OP_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300];

/** Gauges with the ending of counters, which promtool refuses; the same is in metrics with types beside them. */
const BADLY_NAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

export class Metrics {
  readonly #registry = new Registry();
  readonly #passes: Counter<'scope'>;
  readonly #passDuration: Histogram;
  readonly #defects: Counter;
  readonly #ops: Counter<'op' | 'result'>;
  readonly #opDuration: Histogram<'op'>;
  readonly #containers: ContainerSource;

  constructor(options: MetricsOptions) {
    const registers = [this.#registry];
    this.#passes = new Counter({
      name: 'tsdocker_reconcile_passes_total',
      help: 'Passes of the loop, over everything or over some keys.',
      labelNames: ['scope'],
      registers,
    });
    this.#passDuration = new Histogram({
      name: 'tsdocker_reconcile_pass_duration_seconds',
      help: 'How long looking and planning took, without the operations.',
      buckets: PASS_BUCKETS,
      registers,
    });
    this.#defects = new Counter({
      name: 'tsdocker_reconcile_defects_total',
      help: 'Passes and keys that could not be planned.',
      registers,
    });
    this.#ops = new Counter({
      name: 'tsdocker_ops_total',
      help: 'Operations by type and how they ended: done, failed or skipped.',
      labelNames: ['op', 'result'],
      registers,
    });
    this.#opDuration = new Histogram({
      name: 'tsdocker_op_duration_seconds',
      help: 'How long operations took that were not skipped.',
      labelNames: ['op'],
      buckets: OP_BUCKETS,
      registers,
    });
    this.#state(options);
    resolverMetrics(this.#registry, options.resolver);
    this.#containers = options.containers;
    collectDefaultMetrics({ register: this.#registry });
    for (const name of BADLY_NAMED) this.#registry.removeSingleMetric(name);
  }

  pass({ scope, ms }: PassReport): void {
    this.#passes.inc({ scope: scope === null ? 'all' : 'keys' });
    this.#passDuration.observe(ms / 1000);
  }

  op({ op, status, ms }: OpResult): void {
    this.#ops.inc({ op: op.op, result: status });
    if (status !== 'skipped') this.#opDuration.observe({ op: op.op }, ms / 1000);
  }

  defect(): void {
    this.#defects.inc();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text exposition format. */
  async text(): Promise<string> {
    const containers = await containerMetrics(this.#containers);
    return `${containers}\n${await this.#registry.metrics()}`;
  }

  #state({ version, loop, pauses }: MetricsOptions): void {
    const registers = [this.#registry];
    new Gauge({
      name: 'tsdocker_build_info',
      help: 'Constant 1, with the version.',
      labelNames: ['version'],
      registers,
    }).set({ version }, 1);
    const gauge = (name: string, help: string, value: (numbers: LoopNumbers) => number): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value(loop()));
        },
      });
    };
    gauge(
      'tsdocker_reconcile_queue_depth',
      'Keys that wait for a pass, also those that wait for a time.',
      (n) => n.queued,
    );
    gauge('tsdocker_reconcile_in_flight', 'Keys with operations that have not ended.', (n) => n.inFlight);
    gauge('tsdocker_desired_generation', 'Number of the present generation.', (n) => n.generation);
    new Gauge({
      name: 'tsdocker_event_loop_pause_max_seconds',
      help: 'The longest time for which the event loop stood still, since the start and in the last 5 minutes.',
      labelNames: ['since'],
      registers,
      collect() {
        const { longest, lately } = pauses();
        this.set({ since: 'start' }, longest.ms / 1000);
        this.set({ since: '5m' }, lately.ms / 1000);
      },
    });
    new Counter({
      name: 'tsdocker_races_total',
      help: 'System calls that were tried again because somebody else came in between, and those given up.',
      labelNames: ['call', 'result'],
      registers,
      collect() {
        this.reset();
        for (const [call, { retried, givenUp }] of raceCounts()) {
          this.inc({ call, result: 'retried' }, retried);
          this.inc({ call, result: 'given-up' }, givenUp);
        }
      },
    });
    new Gauge({
      name: 'tsdocker_desired_resources',
      help: 'Declared resources by kind.',
      labelNames: ['kind'],
      registers,
      collect() {
        this.reset();
        for (const [kind, count] of Object.entries(loop().resources)) this.set({ kind }, count);
      },
    });
  }
}
