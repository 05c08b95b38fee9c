/** Keys of a container unit that say something together: its log, how its image comes here, its restart delay. */
import { parseDuration } from '../../../model/kinds/short-forms.ts';
import type { ResourceDraft } from '../draft.ts';
import { setLog } from '../log-options.ts';
import { declarePull } from '../pull.ts';
import { pullPolicy } from './image-unit.ts';
import type { Unit } from './unit-file.ts';
import type { Units } from './units.ts';

/** Podman's own words (podman-run(1)); passthrough gives output to the journal of the unit. */
const LOG_DRIVERS: ReadonlyMap<string, string> = new Map([
  ['passthrough', 'journald'],
  ['passthrough-tty', 'journald'],
]);

export function addLog(unit: Unit, container: ResourceDraft): void {
  const driver = unit.last('Container', 'LogDriver');
  const options = unit.all('Container', 'LogOpt').map((entry) => {
    const [name = '', ...value] = entry.text().split('=');
    return { name, value: value.join('='), at: entry.at };
  });
  setLog(container, driver ? { name: LOG_DRIVERS.get(driver.text()) ?? driver.text(), at: driver.at } : null, options);
}

/** An image that another unit describes is that unit's matter. */
export function addPull(unit: Unit, container: ResourceDraft, units: Units): void {
  const entry = unit.last('Container', 'Pull');
  const image = unit.last('Container', 'Image');
  const policy = entry && image ? pullPolicy(entry, container) : null;
  if (!entry || !image || policy === null) return;
  if (/\.(image|build)$/.test(image.text())) container.warn(entry.at, `Pull: ${image.text()} says where it comes from`);
  else declarePull(units.draft, container, { policy });
}

/** `1min 30s` of systemd.time(7) in our form. */
const ours = (time: string): string =>
  time
    .replace(/\s+/g, '')
    .replace(/(\d)(min|minutes?|hr|hours?|sec|seconds?)(?![a-z])/g, (_, digit, unit: string) => `${digit}${unit[0]}`);

/** systemd waits the same time before every restart. */
export function addRestartDelay(unit: Unit, container: ResourceDraft): void {
  const entry = unit.last('Service', 'RestartSec');
  const policy = container.get('restart');
  if (!entry) return;
  if (policy === undefined || policy === 'no') {
    container.warn(entry.at, 'RestartSec: it is not restarted');
    return;
  }
  const delay = ours(entry.text());
  if (!parseDuration(delay).ok) {
    container.warn(entry.at, `RestartSec=${entry.text()} is no time that can be waited; it is left out`);
    return;
  }
  const backoff = { initial: delay, factor: 1, max: delay };
  container.set('restart', { policy, backoff }, container.placeOf('restart'));
}
