/** What registries are asked without a transfer: search, and what a name means there. */
import type { DistributionView } from '../../api/images/registry-views.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { DOCKER_HUB, formatReference, type ImageReference } from '../../model/image-reference.ts';
import type { DockerParts } from '../docker-parts.ts';
import { DockerError } from '../wire/docker-error.ts';
import type { Query } from '../wire/query.ts';

const FILTERS = ['is-official', 'is-automated', 'stars'];
const MOST = 100;
const USUAL = 25;

/** `registry.example/term` asks that registry, anything else Docker Hub. */
function registryIn(term: string): { readonly registry: string | null; readonly term: string } {
  const slash = term.indexOf('/');
  const first = term.slice(0, Math.max(0, slash));
  const isHost = /[.:]/.test(first) || first === 'localhost';
  if (!isHost || first === DOCKER_HUB || first === 'index.docker.io') return { registry: null, term };
  return { registry: first, term: term.slice(slash + 1) };
}

/** @throws DockerError 400 */
export async function search(
  { api }: Pick<DockerParts, 'api'>,
  query: Query,
  credentials: Parameters<DockerParts['api']['registry']['search']>[0]['credentials'],
  signal: AbortSignal,
) {
  const limit = query.number('limit') ?? USUAL;
  if (limit !== 0 && (limit < 1 || limit > MOST)) {
    throw new DockerError(400, `limit ${limit} is outside the range of [1, ${MOST}]`);
  }
  const filters = query.filters(FILTERS);
  const official = filters.flag('is-official');
  const automated = filters.flag('is-automated');
  const stars = filters.of('stars').map((text) => {
    if (/^\d+$/.test(text)) return Number(text);
    throw new DockerError(400, `invalid filter 'stars=[${text}]'`);
  });
  const asked = registryIn(query.text('term'));
  const found = await api.registry.search({ ...asked, credentials }, signal);
  return found
    .filter((one) => official === null || one.official === official)
    .filter((one) => automated !== true && stars.every((least) => one.stars >= least))
    .slice(0, limit || USUAL)
    .map(({ name, description, stars: star_count, official: is_official }) => ({
      star_count,
      is_official,
      name: asked.registry === null ? name : `${asked.registry}/${name}`,
      is_automated: false,
      description,
    }));
}

/** @throws DockerError 404 for a name that the registry does not have, 401 for one that it does not show */
export function distributionError(thrown: unknown, reference: ImageReference): unknown {
  if (!(thrown instanceof TsdError)) return thrown;
  if (thrown.code === 'TSD_REGISTRY_DENIED') return new DockerError(401, `unauthorized: ${thrown.message}`);
  if (thrown.code !== 'TSD_REGISTRY_NOT_FOUND') return thrown;
  return new DockerError(404, `manifest unknown: ${formatReference(reference)}: ${thrown.message}`);
}

export function distributionAnswer({ mediaType, digest, size, platforms }: DistributionView) {
  return {
    Descriptor: { mediaType, digest, size },
    Platforms: platforms.map(({ os, architecture, variant }) => ({
      architecture,
      os,
      ...(variant !== null && { variant }),
    })),
  };
}
