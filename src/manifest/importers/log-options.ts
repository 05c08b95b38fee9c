/** Log drivers and their options, as Docker and Podman call them, in our words. */

import { MIN_LOG_FILE_BYTES, parseBytes } from '../../model/kinds/short-forms.ts';
import type { SourcePosition } from '../../model/resource.ts';
import type { ResourceDraft } from './draft.ts';

export interface LogOption {
  readonly name: string;
  readonly value: string;
  readonly at: SourcePosition;
}

/** Drivers that write files on this host: that is what every container has. */
const FILES = ['json-file', 'local', 'k8s-file'];
const SENDS = ['journald', 'syslog'];

type Rule = (option: LogOption, container: ResourceDraft) => void;

const text =
  (field: string): Rule =>
  ({ value, at }, container) =>
    container.put('log', field, value, at);

function maxSize({ name, value, at }: LogOption, container: ResourceDraft): void {
  const bytes = parseBytes(value);
  if (!bytes.ok) {
    container.warn(at, `${name}: ${bytes.message}; it is left out`);
    return;
  }
  const small = bytes.value < MIN_LOG_FILE_BYTES;
  if (small) container.warn(at, `${name} ${value}: a file has at least 128KiB`);
  container.put('log', 'maxSize', small ? '128KiB' : value, at);
}

function maxFiles({ name, value, at }: LogOption, container: ResourceDraft): void {
  if (/^[1-9]\d{0,2}$/.test(value)) container.put('log', 'maxFiles', Number(value), at);
  else container.warn(at, `${name} ${value}: expected 1 to 999; it is left out`);
}

function tag({ name, value, at }: LogOption, container: ResourceDraft): void {
  if (value.includes('{{')) container.later(at, `a template as ${name}`);
  else container.put('log', 'tag', value, at);
}

const OF_FILES: Readonly<Record<string, Rule>> = { 'max-size': maxSize, 'max-file': maxFiles };
const OF_SYSLOG: Readonly<Record<string, Rule>> = {
  'syslog-address': text('address'),
  'syslog-facility': text('facility'),
  'syslog-format': ({ value, at }, container) => {
    if (value === 'rfc5424micro') container.put('log', 'format', 'rfc5424', at);
    else container.put('log', 'format', value, at);
  },
};

/** @param driver null where the foreign file leaves it to its system. */
export function setLog(
  container: ResourceDraft,
  driver: { readonly name: string; readonly at: SourcePosition } | null,
  options: readonly LogOption[],
): void {
  const name = driver?.name ?? 'json-file';
  const sends = SENDS.includes(name);
  if (driver && sends) container.put('log', 'driver', name, driver.at);
  else if (driver && name === 'none') container.warn(driver.at, 'log driver none: output is kept all the same');
  else if (driver && !FILES.includes(name)) {
    // Its options mean nothing without it.
    container.later(driver.at, `log driver ${name}`);
    return;
  }
  const rules: Readonly<Record<string, Rule>> = {
    ...OF_FILES,
    ...(sends && { tag }),
    ...(name === 'syslog' && OF_SYSLOG),
  };
  for (const option of options) {
    const rule = Object.hasOwn(rules, option.name) ? rules[option.name] : undefined;
    if (rule) rule(option, container);
    else container.later(option.at, `log option ${option.name}`);
  }
}
