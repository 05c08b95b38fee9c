/** Health checks in Docker's words, as Compose files and Quadlet units have them. */
import { type Parsed, parseDuration, parsed, refused } from '../../model/kinds/short-forms.ts';

/** As written; undefined for what is not. */
export interface DockerHealth {
  readonly exec: readonly string[] | string;
  readonly interval: string | undefined;
  readonly timeout: string | undefined;
  readonly retries: string | undefined;
  readonly startPeriod: string | undefined;
  readonly startInterval: string | undefined;
}

/** Docker's defaults (daemon/health.go), which are not ours. */
const DEFAULTS = { interval: '30s', timeout: '30s', retries: '3', startInterval: '5s' } as const;

/** A command as a list with CMD, CMD-SHELL or NONE at its head; null is none. */
export function testCommand(words: readonly string[]): Parsed<readonly string[] | string | null> {
  const [form, ...rest] = words;
  if (form === 'NONE') return parsed(null);
  if (form === 'CMD' && rest.length > 0) return parsed(rest);
  if (form === 'CMD-SHELL' && rest.length > 0) return parsed(rest.join(' '));
  return refused('expected NONE, or CMD or CMD-SHELL and a command');
}

/** Zero means the default, in Docker as in the API of Kubernetes. */
export const unlessZero = (text: string | undefined): string | undefined => {
  if (text === undefined || /^0+$/.test(text)) return undefined;
  const duration = parseDuration(text);
  return duration.ok && duration.value === 0 ? undefined : text;
};

/** A probe as a manifest writes it. Docker tries first after one interval: what fails before does not count. */
export function dockerProbe(health: DockerHealth): Record<string, unknown> {
  const interval = unlessZero(health.interval) ?? DEFAULTS.interval;
  const [first, period] = [interval, health.startPeriod ?? '0s'].map((text) => parseDuration(text));
  const longer = first?.ok && period?.ok && first.value > period.value;
  return {
    exec: health.exec,
    interval,
    timeout: unlessZero(health.timeout) ?? DEFAULTS.timeout,
    retries: Number(unlessZero(health.retries) ?? DEFAULTS.retries),
    startPeriod: longer ? interval : (health.startPeriod ?? '0s'),
    startInterval: unlessZero(health.startInterval) ?? DEFAULTS.startInterval,
  };
}
