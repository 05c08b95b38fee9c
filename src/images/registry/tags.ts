import { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';
import { append } from '../../model/lists.ts';
import { parseJson } from '../image-config.ts';
import { lying } from './answers.ts';
import type { RegistryClient } from './client.ts';
import { pullScope } from './manifest.ts';

const MAX_PAGE_BYTES = 4 * 1024 * 1024;
const MAX_PAGES = 1_000;
/** Of all pages together. */
const MAX_NAMES = 200_000;
const pageSchema = z.object({ tags: z.array(z.string()).nullish(), repositories: z.array(z.string()).nullish() });

/** All tags of a repository. @throws TSD_REGISTRY*. */
export async function listTags(client: RegistryClient, repository: string): Promise<readonly string[]> {
  const pages = readPages(client, `/v2/${repository}/tags/list`, pullScope(repository), `tags of ${repository}`);
  const tags: string[] = [];
  for await (const page of pages) {
    append(tags, page.tags ?? []);
    requireFew(tags, `tags of ${repository}`);
  }
  return [...new Set(tags)].sort();
}

/** Names of all repositories, which many registries keep to themselves. @throws TSD_REGISTRY*. */
export async function listRepositories(client: RegistryClient): Promise<readonly string[]> {
  const repositories: string[] = [];
  for await (const page of readPages(client, '/v2/_catalog', 'registry:catalog:*', 'catalog')) {
    append(repositories, page.repositories ?? []);
    requireFew(repositories, 'catalog');
  }
  return [...new Set(repositories)].sort();
}

function requireFew(names: readonly string[], what: string): void {
  if (names.length > MAX_NAMES) throw lying(`${what}: more than ${MAX_NAMES}`);
}

/** Follows the Link headers of RFC 8288 with which registries part long lists. */
async function* readPages(client: RegistryClient, path: string, scope: string, what: string) {
  let next: string | URL = path;
  for (let page = 0; page < MAX_PAGES; page++) {
    const { bytes, headers } = await client.read(MAX_PAGE_BYTES, { method: 'GET', path: next, scope, what });
    yield parseJson(pageSchema, bytes.toString('utf8'), what);
    const link = /<([^<>]{1,4096})>\s{0,8};\s{0,8}rel="?next"?/.exec(String(headers.link ?? ''))?.[1];
    if (link === undefined) return;
    const { base } = client.endpoint;
    const url: URL | null = URL.canParse(link, base.href) ? new URL(link, base) : null;
    if (url === null || url.host !== base.host || url.protocol !== base.protocol) {
      throw lying(`${what}: ${base.host} continues elsewhere`);
    }
    next = url;
  }
  throw new TsdError('TSD_REGISTRY_INVALID', `${what}: more than ${MAX_PAGES} pages`, { step: 'read answer' });
}
