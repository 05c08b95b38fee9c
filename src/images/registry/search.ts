import { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';
import { parseJson } from '../image-config.ts';
import type { RegistryClient } from './client.ts';
import { listRepositories } from './tags.ts';

export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly official: boolean;
}

const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const MAX_RESULTS = 100;
const HUB_HOST = 'registry-1.docker.io';
/** The API of Docker Hub for search, which the registry protocol lacks. */
const HUB_INDEX = 'https://index.docker.io';

const answerSchema = z.object({
  results: z.array(
    z.object({
      name: z.string(),
      description: z.string().nullish(),
      star_count: z.number().nullish(),
      is_official: z.boolean().nullish(),
    }),
  ),
});

/** Looks for images by name: by the search of protocol version 1, else in the catalog. Most stars first. @throws TSD_REGISTRY*. */
export async function searchImages(client: RegistryClient, term: string): Promise<readonly SearchResult[]> {
  const base = client.endpoint.base.host === HUB_HOST ? new URL(HUB_INDEX) : client.endpoint.base;
  const path = new URL(`/v1/search?${new URLSearchParams({ q: term, n: String(MAX_RESULTS) })}`, base);
  try {
    const { bytes } = await client.read(MAX_ANSWER_BYTES, { method: 'GET', path, scope: null, what: 'search' });
    const { results } = parseJson(answerSchema, bytes.toString('utf8'), 'search');
    return results
      .map(({ name, description, star_count, is_official }) => ({
        name,
        description: description ?? '',
        stars: star_count ?? 0,
        official: is_official ?? false,
      }))
      .sort((a, b) => b.stars - a.stars || (a.name < b.name ? -1 : 1));
  } catch (thrown) {
    if (!(thrown instanceof TsdError) || thrown.code !== 'TSD_REGISTRY_NOT_FOUND') throw thrown;
  }
  const names = await listRepositories(client);
  return names
    .filter((name) => name.includes(term.toLowerCase()))
    .slice(0, MAX_RESULTS)
    .map((name) => ({ name, description: '', stars: 0, official: false }));
}
