/** HEALTHCHECK of an image: the `Healthcheck` member of its configuration, the same in Docker's form and OCI's. */
import { z } from 'zod';
import { NO_PROBES, type ProbeSet } from '../model/health.ts';

/** Nanoseconds; 0 stands for the default. */
const duration = z.number().min(0).nullish();

const configuration = z.object({
  config: z
    .object({
      Healthcheck: z
        .object({
          Test: z.array(z.string()).nullish(),
          Interval: duration,
          Timeout: duration,
          StartPeriod: duration,
          StartInterval: duration,
          Retries: z.number().int().nullish(),
        })
        .nullish(),
      Shell: z.array(z.string()).nullish(),
    })
    .nullish(),
});

/** Docker's defaults (daemon/health.go). */
const DOCKER_DEFAULTS = {
  intervalMs: 30_000,
  timeoutMs: 30_000,
  startPeriodMs: 0,
  startIntervalMs: 5_000,
  retries: 3,
} as const;

const DEFAULT_SHELL = ['/bin/sh', '-c'];

function commandOf(test: readonly string[], shell: readonly string[]): readonly string[] | null {
  const [form, ...words] = test;
  if (form === 'CMD') return words.length > 0 ? words : null;
  return form === 'CMD-SHELL' ? [...shell, words.join(' ')] : null;
}

const milliseconds = (nanoseconds: number | null | undefined, standard: number): number =>
  nanoseconds ? Math.max(1, Math.round(nanoseconds / 1e6)) : standard;

function parse(configJson: string): ProbeSet | null {
  let json: unknown;
  try {
    json = JSON.parse(configJson);
  } catch {
    return null;
  }
  const config = configuration.safeParse(json).data?.config;
  const argv = commandOf(config?.Healthcheck?.Test ?? [], config?.Shell ?? DEFAULT_SHELL);
  if (!config?.Healthcheck || argv === null) return null;
  const { Interval, Timeout, StartPeriod, StartInterval, Retries } = config.Healthcheck;
  const d = DOCKER_DEFAULTS;
  const intervalMs = milliseconds(Interval, d.intervalMs);
  return {
    ...NO_PROBES,
    check: {
      check: { type: 'exec', argv },
      intervalMs,
      timeoutMs: milliseconds(Timeout, d.timeoutMs),
      retries: Retries && Retries > 0 ? Retries : d.retries,
      successes: 1,
      initialDelayMs: 0,
      // Docker tries first after one interval: what fails before does not count.
      startPeriodMs: Math.max(intervalMs, milliseconds(StartPeriod, d.startPeriodMs)),
      startIntervalMs: milliseconds(StartInterval, d.startIntervalMs),
    },
  };
}

/** Looked for in every pass, and the text of an image never changes. */
const known = new WeakMap<object, ProbeSet | null>();

/**
 * The check an image brings; null without one, for `NONE`, and for a configuration of another form, which has none.
 * @param image anything that lives as long as the configuration stays the same
 */
export function imageHealthcheck(image: object, configJson: string): ProbeSet | null {
  const before = known.get(image);
  if (before !== undefined) return before;
  const found = configJson === '' ? null : parse(configJson);
  known.set(image, found);
  return found;
}
