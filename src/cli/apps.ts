/** `APP/` in the place of a container: all containers of an app. */
import type { SupervisorClient } from '../api/client.ts';
import type { ContainerView } from '../api/views/resource-views.ts';
import { TsdError } from '../model/errors/errors.ts';
import { closest } from '../model/text/suggest.ts';

export const isApp = (word: string): boolean => word.endsWith('/');

/**
 * Names of containers, those of an app for `APP/`.
 * @param wanted which of an app's containers
 * @throws TsdError TSD_NO_SUCH_RESOURCE for an app without such containers
 */
export async function namesOf(
  client: SupervisorClient,
  words: readonly string[],
  wanted: (container: ContainerView) => boolean,
): Promise<readonly string[]> {
  if (!words.some(isApp)) return [...new Set(words)];
  const all = await client.list('containers');
  const names = words.flatMap((word) => {
    if (!isApp(word)) return [word];
    const members = all.filter((container) => `${container.app}/` === word && wanted(container));
    if (members.length > 0) return members.map(({ app, name }) => `${app}/${name}`);
    throw noContainers(word, all);
  });
  return [...new Set(names)];
}

function noContainers(word: string, all: readonly ContainerView[]): TsdError {
  const app = word.slice(0, -1);
  if (all.some((container) => container.app === app)) {
    return new TsdError('TSD_CONTAINER_NOT_RUNNING', `no container of the app ${app} runs`);
  }
  const meant = closest(app, [...new Set(all.map((container) => container.app))]);
  return new TsdError('TSD_NO_SUCH_RESOURCE', `no app ${app} has containers`, {
    hint: `${meant === undefined ? '' : `Did you mean ${meant}/? `}\`tsdocker get containers\` lists what exists.`,
  });
}
