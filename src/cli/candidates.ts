/** Completion candidates for a word of a command line. */
import type { SupervisorClient } from '../api/client.ts';
import type { Completable } from './command-line/command.ts';
import { LIST_ALIASES } from './output/views.ts';

/** Generations that a completion offers. */
const OFFERED_GENERATIONS = 20;

/** A resource without an app has only its name. */
const fullName = ({ app, name }: { readonly app: string; readonly name: string }) =>
  app === '' ? name : `${app}/${name}`;

const SOURCES: Readonly<Record<Completable, (client: SupervisorClient) => Promise<readonly string[]>>> = {
  container: async (client) => (await client.list('containers')).map(fullName),
  containers: containersAndApps,
  resources: async (client) => {
    const others = await Promise.all([client.list('volumes'), client.list('networks'), client.list('images')]);
    const kinds = ['volume', 'network', 'image'];
    const named = others.flatMap((rows, index) => rows.map((row) => `${kinds[index]}/${fullName(row)}`));
    return [...(await containersAndApps(client)), ...named];
  },
  images: async (client) => (await client.list('images')).flatMap(({ tags }) => tags),
  approvals: async (client) => (await client.approvals()).map(({ name }) => name),
  generations: async (client) =>
    (await client.history(OFFERED_GENERATIONS)).map(({ generation }) => String(generation)),
  jobs: async (client) => (await client.jobs()).jobs.filter(({ instead }) => instead === null).map(({ name }) => name),
  // The lists are there without a supervisor, too.
  lists: async (client) => [...Object.keys(LIST_ALIASES), ...(await client.list('containers').then(appsOf, () => []))],
};

async function containersAndApps(client: SupervisorClient): Promise<readonly string[]> {
  const containers = await client.list('containers');
  return [...containers.map(fullName), ...appsOf(containers)];
}

function appsOf(containers: readonly { readonly app: string }[]): readonly string[] {
  return [...new Set(containers.map(({ app }) => `${app}/`))];
}

/** Each once. */
export async function candidates(client: SupervisorClient, what: Completable): Promise<readonly string[]> {
  return [...new Set(await SOURCES[what](client))];
}
