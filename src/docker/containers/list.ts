/** GET /containers/json. */
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { DockerParts } from '../docker-parts.ts';
import { descendantsOf, imageLabels, imageSize } from '../images/image-facts.ts';
import { namesAsRead, tagsById } from '../images/image-names.ts';
import { findImage, type KnownImages } from '../images/references.ts';
import { findContainer } from '../lookup.ts';
import { knownNetworks, networkIds } from '../networks/known-networks.ts';
import { DockerError } from '../wire/docker-error.ts';
import type { Query } from '../wire/query.ts';
import { chosenContainers, type Filtered } from './container-filters.ts';
import { stateOf } from './container-state.ts';
import { containerSummary, labelsOf } from './container-summary.ts';
import { type EndpointSettings, networkModeOf, networksOf } from './endpoint-settings.ts';
import { type MountPoint, mountPointsOf, volumesByPath } from './mount-points.ts';
import { portList } from './ports.ts';
import {
  annotationsOf,
  askedNetworkMode,
  bindsOf,
  type ContainerRequest,
  requestOf,
  tmpfsMountsOf,
} from './request.ts';
import { seenContainer } from './seen.ts';
import { sizesOf } from './sizes.ts';

type TagsById = ReturnType<typeof tagsById>;

interface Listed extends Filtered {
  readonly record: ContainerRecord;
  readonly request: ContainerRequest | null;
  readonly networks: () => Readonly<Record<string, EndpointSettings>>;
  readonly mounts: () => readonly MountPoint[];
}

const once = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
};

/** Null where no image is called so. */
function idOfImage(known: KnownImages, name: string): string | null {
  try {
    return findImage(known, name).id;
  } catch (error) {
    if (error instanceof DockerError) return null;
    throw error;
  }
}

/** Shows the name that a container was made with while it means that image, as Docker does; a declared one has its tag. */
function shownImage({ record, request }: Listed, known: KnownImages, tags: TagsById): string {
  const { imageId, config, owner } = record;
  const asked = owner === null ? config.Image : request?.config.Image;
  if (typeof asked === 'string' && idOfImage(known, asked) === imageId) return asked;
  return tags.get(imageId)?.[0] ?? `sha256:${imageId}`;
}

/** @throws DockerError 400 and 404 for filters that cannot be used */
export async function listContainers(
  docker: DockerParts,
  query: Query,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const images = docker.images.all();
  const repositories = docker.repositories.all();
  const tags = tagsById(repositories);
  const known = { images: docker.images, repositories: namesAsRead(repositories) };
  const ids = networkIds(docker.instanceId, knownNetworks(docker));
  const volumes = volumesByPath(docker.volumes.all());
  const listed = docker.containers.all().map((record): Listed => {
    const state = stateOf(seenContainer(docker, record));
    const request = record.owner && requestOf(record.owner);
    return {
      record,
      request,
      id: record.id,
      name: record.engineName,
      created: record.created,
      imageId: record.imageId,
      state,
      labels: once(() => labelsOf(record, imageLabels(docker.images.get(record.imageId)))),
      networks: once(() => networksOf(record, state.Running, ids, request?.endpoints)),
      mounts: once(() => mountPointsOf(record, volumes, bindsOf(request), tmpfsMountsOf(request))),
      published: () =>
        portList(record).flatMap(({ PublicPort, Type }) => (PublicPort === undefined ? [] : [`${PublicPort}/${Type}`])),
      exposed: () => Object.keys(record.config.ExposedPorts ?? {}),
    };
  });
  const chosen = chosenContainers(query, listed, {
    created: (name) => findContainer(docker.containers, name).created,
    images: (name) => {
      const id = idOfImage(known, name);
      return id === null ? new Set() : descendantsOf(images, id);
    },
  });
  const isSized = query.flag('size');
  const nowMs = docker.clock.now().wallMs;
  const answer: Readonly<Record<string, unknown>>[] = [];
  for (const one of chosen) {
    const { record } = one;
    answer.push(
      containerSummary({
        record,
        state: one.state,
        image: shownImage(one, known, tags),
        labels: one.labels(),
        networkMode: askedNetworkMode(one.request) ?? networkModeOf(record, (key) => docker.containers.byKey(key)?.id),
        networks: one.networks(),
        mounts: one.mounts(),
        annotations: annotationsOf(one.request),
        sizes: isSized ? await sizesOf(docker, record, imageSize(docker.images.get(record.imageId))) : null,
        nowMs,
      }),
    );
  }
  return answer;
}
