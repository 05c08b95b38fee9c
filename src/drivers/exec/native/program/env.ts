/** A process's environment. */
import { TsdError } from '../../../../model/errors/errors.ts';

/** Default PATH, as in Docker. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Each name once, at its first place, with its last value; HOME is added when absent. */
export function processEnv(entries: readonly string[], home: string): string[] {
  const byName = new Map<string, string>();
  for (const entry of entries) byName.set(entry.split('=', 1)[0] ?? '', entry);
  if (!byName.has('HOME')) byName.set('HOME', `HOME=${home}`);
  return [...byName.values()];
}

/** The value of one variable, or undefined. */
export function envValue(env: readonly string[], name: string): string | undefined {
  return env.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** Strings end at a NUL in the kernel: one with a NUL inside would arrive as another string. */
export function refuseNul(what: string, texts: readonly string[]): void {
  const bad = texts.find((text) => text.includes('\0'));
  if (bad === undefined) return;
  throw new TsdError('TSD_CONTAINER_SETUP', `${what} contains a NUL byte: ${JSON.stringify(bad.slice(0, 80))}`, {
    step: what,
  });
}
