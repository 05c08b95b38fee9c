/** A configuration on top of that of an image, as for a container of it. Pure. */
import type { RawConfig } from '../build/config.ts';

type Members = Readonly<Record<string, unknown>>;
/** Objects whose members are added up. */
const ADDED = ['Labels', 'ExposedPorts', 'Volumes'];

const members = (value: unknown): Members => (typeof value === 'object' && value !== null ? (value as Members) : {});
const list = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);
const nameOf = (variable: string): string => variable.split('=', 1)[0] ?? '';

/** An entrypoint of its own leaves the command of the image below behind. */
export function mergedConfig(config: RawConfig, below: RawConfig): RawConfig {
  if (Object.keys(config).length === 0) return below;
  const added = ADDED.flatMap((key) => {
    const all = { ...members(below[key]), ...members(config[key]) };
    return Object.keys(all).length === 0 ? [] : [[key, all] as const];
  });
  const own = new Set(list(config.Env).map(nameOf));
  const env = [...list(below.Env).filter((variable) => !own.has(nameOf(variable))), ...list(config.Env)];
  const { Cmd: _command, ...withoutCommand } = below;
  return {
    ...(config.Entrypoint === undefined ? below : withoutCommand),
    ...config,
    ...Object.fromEntries(added),
    ...(env.length > 0 && { Env: env }),
  };
}
