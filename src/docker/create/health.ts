/** Health checks in Docker's words: nanoseconds, and an image's check of which a container may change parts. */
import { refuse, type Section } from './context.ts';
import type { HealthcheckBody, ImageFacts } from './image-facts.ts';

const NS_PER_MS = 1_000_000;
/** Shorter and longer waits are none here. */
const MIN_MS = 10;
const MAX_MS = 2 ** 31 - 1;
const MAX_RETRIES = 1000;

/** Docker's (daemon/health.go). */
const DEFAULTS = { Interval: 30_000, Timeout: 30_000, StartPeriod: 0, StartInterval: 5_000, Retries: 3 } as const;
const TIMES = ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const;
const DEFAULT_SHELL = ['/bin/sh', '-c'];

function check(health: HealthcheckBody): void {
  for (const time of TIMES) {
    if (health[time] !== 0 && health[time] < NS_PER_MS) refuse(`${time} in Healthcheck cannot be less than 1ms`);
  }
  if (health.Retries < 0) refuse('Retries in Healthcheck cannot be negative');
}

/** What is not given is the image's. */
function merged(own: HealthcheckBody | undefined, image: HealthcheckBody | undefined): HealthcheckBody | undefined {
  if (own === undefined || image === undefined) return own ?? image;
  const pick = (name: (typeof TIMES)[number] | 'Retries'): number => own[name] || image[name];
  return {
    Test: own.Test.length > 0 ? own.Test : image.Test,
    Interval: pick('Interval'),
    Timeout: pick('Timeout'),
    StartPeriod: pick('StartPeriod'),
    StartInterval: pick('StartInterval'),
    Retries: pick('Retries'),
  };
}

/** Null for `NONE`, and for forms that Docker does not know, which it never runs. */
function commandOf([form, ...rest]: readonly string[], shell: readonly string[]): readonly string[] | null {
  if (form === 'CMD') return rest.length > 0 ? rest : null;
  return form === 'CMD-SHELL' ? [...(shell.length > 0 ? shell : DEFAULT_SHELL), rest.join(' ')] : null;
}

const written = (ms: number): string => `${ms}ms`;

/**
 * A readiness probe: Docker shows an unhealthy container and leaves it running. It tries first after one interval, so that
 * what fails before that does not count.
 * @param shell of the body
 */
export function healthSection(own: HealthcheckBody | undefined, image: ImageFacts, shell: readonly string[]): Section {
  if (own !== undefined) check(own);
  const health = merged(own, image.Healthcheck);
  if (health === undefined || health.Test.length === 0) return { written: {} };
  const exec = commandOf(health.Test, shell.length > 0 ? shell : image.Shell);
  if (exec === null) return { written: { health: 'none' } };
  const time = (name: (typeof TIMES)[number], least = MIN_MS): number => {
    const ms = health[name] > 0 ? health[name] / NS_PER_MS : DEFAULTS[name];
    return Math.min(MAX_MS, Math.max(least, Math.round(ms)));
  };
  const interval = time('Interval');
  const readiness = {
    exec,
    interval: written(interval),
    timeout: written(time('Timeout')),
    retries: Math.min(MAX_RETRIES, health.Retries > 0 ? health.Retries : DEFAULTS.Retries),
    startPeriod: written(Math.max(interval, time('StartPeriod', 0))),
    startInterval: written(time('StartInterval')),
  };
  return { written: { health: { readiness } } };
}
