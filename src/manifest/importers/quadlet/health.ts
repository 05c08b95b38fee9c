/** The Health keys of a container unit (podman-systemd.unit(5)). */
import { dockerProbe, unlessZero } from '../docker-health.ts';
import type { ResourceDraft } from '../draft.ts';
import type { Entry, Unit } from './unit-file.ts';

/** The largest count of a manifest. */
const MOST_RETRIES = '1000';

function commandOf(written: string): readonly string[] | string {
  if (!written.startsWith('[')) return written;
  try {
    const words: unknown = JSON.parse(written);
    if (Array.isArray(words)) return words.map(String);
  } catch {
    // A shell's test command begins like a list too.
  }
  return written;
}

/** Keys that say something of the check; what is kept of its results stands elsewhere. */
const HEALTH = /^Health(?!Log|Max|Cmd$)/;
const STARTUP = /^HealthStartup(?!Cmd$)/;

function warnOfUnused(unit: Unit, container: ResourceDraft, isUnused: (entry: Entry) => boolean, why: string): void {
  for (const entry of unit.entries) {
    if (entry.section === 'Container' && isUnused(entry)) container.warn(entry.at, `${entry.key}: ${why}`);
  }
}

/** Podman restarts an unhealthy container only when configured to; otherwise health is shown and waited for. */
export function addHealth(unit: Unit, container: ResourceDraft): void {
  const text = (key: string) => unit.last('Container', key)?.text();
  const command = unit.last('Container', 'HealthCmd');
  if (!command) {
    warnOfUnused(
      unit,
      container,
      ({ key }) => HEALTH.test(key),
      "without HealthCmd the image's own check is used as it is",
    );
    return;
  }
  if (command.text() === 'none') {
    container.set('health', 'none', command.at);
    return;
  }
  const none = unit.last('Container', 'HealthRetries');
  if (none && unlessZero(none.text()) === undefined)
    container.refuse(none.at, 'HealthRetries is at least 1 with Podman');
  const interval = text('HealthInterval');
  if (interval === 'disable') container.warn(command.at, 'HealthInterval=disable: it is tried every 30s');
  const probe = dockerProbe({
    exec: commandOf(command.text()),
    interval: interval === 'disable' ? undefined : interval,
    timeout: text('HealthTimeout'),
    retries: text('HealthRetries'),
    startPeriod: text('HealthStartPeriod'),
    startInterval: undefined,
  });
  const onFailure = unit.last('Container', 'HealthOnFailure');
  const restarts = onFailure !== undefined && ['kill', 'restart'].includes(onFailure.text());
  if (onFailure?.text() === 'stop') container.warn(onFailure.at, 'HealthOnFailure=stop: it is shown and not stopped');
  container.put('health', 'readiness', probe, command.at);
  if (restarts) container.put('health', 'liveness', probe, command.at);
  addStartup(unit, container);
}

function addStartup(unit: Unit, container: ResourceDraft): void {
  const text = (key: string) => unit.last('Container', key)?.text();
  const startup = unit.last('Container', 'HealthStartupCmd');
  if (!startup) {
    warnOfUnused(unit, container, ({ key }) => STARTUP.test(key), 'without HealthStartupCmd there is no startup check');
    return;
  }
  const retries = text('HealthStartupRetries');
  const probe = dockerProbe({
    exec: commandOf(startup.text()),
    interval: text('HealthStartupInterval'),
    timeout: text('HealthStartupTimeout'),
    // With 0 Podman never gives up.
    retries: retries !== undefined && unlessZero(retries) === undefined ? MOST_RETRIES : retries,
    startPeriod: undefined,
    startInterval: undefined,
  });
  const successes = text('HealthStartupSuccess');
  container.put('health', 'startup', { ...probe, ...(successes && { successes: Number(successes) }) }, startup.at);
}
