/** Names of all images at once: each reading of them asks the disk. Pure. */
import { own } from '../../model/own.ts';
import type { RepositoryStore } from '../../state/images/repositories.ts';
import type { KnownImages } from './references.ts';

type Repositories = ReturnType<RepositoryStore['all']>;

/** `repository:tag` of every image, by id, sorted. */
export function tagsById(repositories: Repositories): ReadonlyMap<string, readonly string[]> {
  const tags = new Map<string, string[]>();
  for (const [repository, images] of Object.entries(repositories)) {
    for (const [tag, id] of Object.entries(images ?? {})) {
      const known = tags.get(id);
      if (known) known.push(`${repository}:${tag}`);
      else tags.set(id, [`${repository}:${tag}`]);
    }
  }
  for (const known of tags.values()) known.sort();
  return tags;
}

/** To find images by names that were read. */
export function namesAsRead(repositories: Repositories): KnownImages['repositories'] {
  const tags = tagsById(repositories);
  const split = (name: string) => {
    const at = name.lastIndexOf(':');
    return { repository: name.slice(0, at), tag: name.slice(at + 1) };
  };
  return {
    get: ({ repository, tag }) => {
      const images = own(repositories, repository);
      return (images && own(images, tag)) ?? null;
    },
    namesOf: (id) => (tags.get(id) ?? []).map(split),
  };
}
