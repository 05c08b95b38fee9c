/** Reads settings where they are given: flags, TSDOCKER_* variables, the config file. Each value knows its place. */
import { LineCounter, parseDocument } from 'yaml';
import { type Gate, readJudged } from '../ffi/files/gate.ts';
import { TsdError } from '../model/errors/errors.ts';
import { SETTINGS, type SettingName } from './settings.ts';

export interface ConfigSources {
  /** What the command line gave, by setting. */
  readonly flags: Readonly<Partial<Record<SettingName, unknown>>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Null reads the default file, which may be missing. */
  readonly configFile: string | null;
  /** Judges the config file as one that the starter of the supervisor passed in. */
  readonly gate: Gate;
}

/** Where a value came from, as a person finds it: a flag or variable, or a position in the file. */
export type Origin = string | { readonly file: string; readonly line: number; readonly column: number };
export type Layer = readonly (readonly [name: string, entry: { readonly value: unknown; readonly origin: Origin }])[];

export function problem(origin: Origin | undefined, message: string): TsdError {
  if (typeof origin === 'object') return new TsdError('TSD_FLAG', message, { source: origin });
  return new TsdError('TSD_FLAG', origin === undefined ? message : `${origin}: ${message}`);
}

export function flags(given: ConfigSources['flags']): Layer {
  return Object.entries(given)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [
      name,
      { value, origin: SETTINGS[name as SettingName].flags.split(' ')[0]?.replace(',', '') ?? name },
    ]);
}

export function environment(env: ConfigSources['env']): Layer {
  return Object.entries(SETTINGS).flatMap(([name, { env: ours, ...setting }]) => {
    const variables = [ours, ...('otherEnv' in setting ? [setting.otherEnv] : [])];
    const variable = variables.find((candidate) => (env[candidate] ?? '') !== '');
    return variable === undefined ? [] : [[name, { value: env[variable], origin: variable }] as const];
  });
}

export function readConfigFile(
  file: string,
  sources: ConfigSources,
): { readonly values: Layer; readonly errors: readonly TsdError[] } {
  // Any user may write to it, and nothing is read from it.
  if (file === '/dev/null') return { values: [], errors: [] };
  let text: string;
  try {
    text = readJudged(file, sources.gate);
  } catch (thrown) {
    if (thrown instanceof TsdError) return { values: [], errors: [thrown] };
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT' && sources.configFile === null) return { values: [], errors: [] };
    return { values: [], errors: [new TsdError('TSD_FLAG', `cannot read ${file}: ${message}`)] };
  }
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const at = (offset: number): Origin => {
    const { line, col } = counter.linePos(offset);
    return { file, line, column: col };
  };
  const errors = document.errors.map((error) => problem(at(error.pos[0]), error.message));
  const root: unknown = errors.length > 0 ? null : document.toJS();
  if (root === null || root === undefined) return { values: [], errors };
  if (typeof root !== 'object' || Array.isArray(root)) {
    return { values: [], errors: [problem(at(0), 'the file must be a mapping of settings to values')] };
  }
  const values = Object.entries(root).map(([name, value]) => {
    const node = document.get(name, true) as { readonly range?: readonly [number, number, number] } | undefined;
    return [name, { value, origin: at(node?.range?.[0] ?? 0) }] as const;
  });
  return { values, errors: [] };
}
