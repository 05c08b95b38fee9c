/** Log drivers and their options. */
import { MIN_LOG_FILE_BYTES, parseBytes } from '../../model/kinds/short-forms.ts';
import { own } from '../../model/own.ts';
import type { HostConfigBody } from './container-body.ts';
import { refuse, type Section } from './context.ts';

/** What an option means: a member of `log`, or why it has none. */
type Rule = (value: string, warn: (text: string) => void) => Readonly<Record<string, unknown>>;

const maxSize: Rule = (value, warn) => {
  // No limit, as Docker has without the option.
  if (value === '-1') return {};
  const bytes = parseBytes(value);
  if (!bytes.ok) return refuse(`invalid value for max-size: ${bytes.message}`);
  if (bytes.value < MIN_LOG_FILE_BYTES) warn(`max-size ${value}: a log file has at least 128KiB`);
  return { maxSize: Math.max(MIN_LOG_FILE_BYTES, bytes.value) };
};

const maxFiles: Rule = (value) => {
  if (!/^\d{1,9}$/.test(value) || Number(value) < 1)
    return refuse(`invalid value for max-file: ${JSON.stringify(value)} is not a number of files above 0`);
  return { maxFiles: Math.min(1000, Number(value)) };
};

const leftOut =
  (name: string): Rule =>
  (_value, warn) => {
    warn(`log option ${name} has no effect`);
    return {};
  };

const member =
  (name: string): Rule =>
  (value) => ({ [name]: value });

const tag: Rule = (value) =>
  value.includes('{{') ? refuse(`log option tag: a template is not supported`) : { tag: value };

const NO_EFFECT = ['compress', 'labels', 'labels-regex', 'env', 'env-regex', 'mode', 'max-buffer-size'];
const ANYWHERE: Readonly<Record<string, Rule>> = Object.fromEntries(NO_EFFECT.map((name) => [name, leftOut(name)]));
const FILES: Readonly<Record<string, Rule>> = { ...ANYWHERE, 'max-size': maxSize, 'max-file': maxFiles };

const DRIVERS: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  'json-file': { ...FILES, tag: leftOut('tag') },
  local: FILES,
  none: FILES,
  journald: { ...ANYWHERE, tag },
  syslog: {
    ...ANYWHERE,
    tag,
    'syslog-address': member('address'),
    'syslog-facility': member('facility'),
    'syslog-format': (value) => ({ format: value === 'rfc5424micro' ? 'rfc5424' : value }),
  },
};

const FORWARDING = ['journald', 'syslog'];

export function logSection({ Type, Config }: HostConfigBody['LogConfig']): Section {
  const driver = Type === '' ? 'json-file' : Type;
  const rules = own(DRIVERS, driver);
  if (rules === undefined) refuse(`error looking up logging plugin ${driver}: plugin "${driver}" not found`);
  const warnings: string[] = [];
  if (driver === 'none') warnings.push('log driver none: the output is kept on this host within the limits of a log');
  const log: Record<string, unknown> = FORWARDING.includes(driver) ? { driver } : {};
  for (const [name, value] of Object.entries(Config)) {
    const rule = own(rules, name);
    if (rule === undefined) refuse(`unknown log opt '${name}' for ${driver} log driver`);
    Object.assign(
      log,
      rule(value, (warning) => warnings.push(warning)),
    );
  }
  return { written: Object.keys(log).length > 0 ? { log } : {}, warnings };
}
