/** A resource that a person names without its kind. */
import type { SupervisorClient } from '../api/client.ts';
import { TsdError } from '../model/errors/errors.ts';
import type { Kind } from '../model/resource.ts';
import { isApp, namesOf } from './apps.ts';
import { type NamedResource, resourceArgument } from './options.ts';

const OTHERS = { image: 'images', volume: 'volumes', network: 'networks' } as const;

/** The other resource of the name, if there is exactly one. */
async function onlyOther(client: SupervisorClient, name: string): Promise<NamedResource | null> {
  const found: NamedResource[] = [];
  for (const [kind, list] of Object.entries(OTHERS)) {
    for (const row of await client.list(list)) {
      const full = `${row.app}/${row.name}`;
      if (row.app !== '' && (row.name === name || full === name)) found.push({ kind: kind as Kind, name: full });
    }
  }
  const [only] = found;
  return only !== undefined && found.length === 1 ? only : null;
}

/** As {@link askAbout}, for each container where the words are `APP/`. */
export async function askAboutAll<T>(
  client: SupervisorClient,
  words: readonly string[],
  ask: (kind: Kind, name: string) => Promise<T>,
): Promise<{ readonly several: boolean; readonly answers: readonly T[] }> {
  const [first = ''] = words;
  if (words.length !== 1 || !isApp(first)) return { several: false, answers: [await askAbout(client, words, ask)] };
  const names = await namesOf(client, words, () => true);
  return { several: true, answers: await Promise.all(names.map((name) => ask('container', name))) };
}

/**
 * Asks about what the words name: a name alone is a container, or where there is none the only other resource that has it.
 * @throws TsdError TSD_NO_SUCH_RESOURCE, naming those that have it where there are several
 */
async function askAbout<T>(
  client: SupervisorClient,
  words: readonly string[],
  ask: (kind: Kind, name: string) => Promise<T>,
): Promise<T> {
  const { kind, name, assumed = false } = resourceArgument(words);
  try {
    return await ask(kind, name);
  } catch (thrown) {
    const missing = thrown instanceof TsdError && thrown.code === 'TSD_NO_SUCH_RESOURCE';
    const other = missing && assumed ? await onlyOther(client, name) : null;
    if (other === null) throw thrown;
    return ask(other.kind, other.name);
  }
}
