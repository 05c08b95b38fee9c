/** GET /images/json, /images/{name}/json and /images/{name}/history. */

import type { ImageRecord } from '../../state/images/image-record.ts';
import { imageHistory } from '../../supervisor/images/image-history.ts';
import { sortable } from '../containers/created-order.ts';
import type { DockerParts } from '../docker-parts.ts';
import { findImageRecord } from '../lookup.ts';
import { foundIn } from '../wire/pattern.ts';
import type { Filters } from '../wire/query.ts';
import { globSource } from './glob.ts';
import { imageLabels } from './image-facts.ts';
import { imageJson, imageSummary, sharedBytesOf } from './image-json.ts';
import { tagsById } from './image-names.ts';
import { untilOf } from './until.ts';

export const IMAGE_FILTERS = ['before', 'dangling', 'label', 'reference', 'since', 'until'];

type Shape = Readonly<Record<string, unknown>>;

/** Of the whole name, or of the repository alone; Docker Hub may be named or not. */
function matches(glob: string, tags: readonly string[]): readonly boolean[] {
  const hub = (text: string): string => (text.includes('/') ? `docker.io/${text}` : `docker.io/library/${text}`);
  const repository = (tag: string): string => tag.slice(0, tag.lastIndexOf(':'));
  const forms = [(tag: string) => tag, repository, hub, (tag: string) => hub(repository(tag))];
  const found = forms.map((form) => foundIn(globSource(glob), tags.map(form)));
  return tags.map((_, index) => found.some((one) => one[index] === true));
}

/** Names of an image that the filter `reference` lets pass. */
function namesThatPass(globs: readonly string[], tags: readonly string[]): readonly string[] {
  if (globs.length === 0) return tags;
  const passing = globs.map((glob) => matches(glob, tags));
  return tags.filter((_, index) => passing.some((one) => one[index] === true));
}

interface Chosen {
  readonly image: ImageRecord;
  readonly tags: readonly string[];
}

/** Newest first. @throws DockerError 400, 404 */
function chosenImages(docker: DockerParts, filters: Filters): readonly Chosen[] {
  const created = (name: string): string => sortable(findImageRecord(docker, name).created);
  const [before, since] = [filters.of('before').map(created), filters.of('since').map(created)];
  const until = untilOf(filters.of('until'), docker.clock.now().wallMs);
  const dangling = filters.flag('dangling');
  const globs = filters.of('reference');
  for (const glob of globs) globSource(glob);
  const tags = tagsById(docker.repositories.all());
  const all = docker.images.all().map((image) => ({ image, tags: tags.get(image.id) ?? [] }));
  const passing = all.flatMap((one): Chosen[] => {
    const { image } = one;
    const time = sortable(image.created);
    const names = namesThatPass(globs, one.tags);
    const passes =
      (globs.length === 0 || names.length > 0) &&
      (dangling === null || (one.tags.length === 0) === dangling) &&
      filters.labels(imageLabels(image)) &&
      before.every((other) => time < other) &&
      since.every((other) => time > other) &&
      (until === null || Date.parse(image.created) < until);
    return passes ? [{ image, tags: names }] : [];
  });
  return passing.sort((a, b) => (sortable(a.image.created) < sortable(b.image.created) ? 1 : -1));
}

export function listImages(docker: DockerParts, filters: Filters, withShared: boolean): readonly Shape[] {
  const all = docker.images.all();
  return chosenImages(docker, filters).map(({ image, tags }) =>
    imageSummary({
      image,
      tags,
      digests: docker.digests.namesOf(image.id),
      sharedBytes: withShared ? sharedBytesOf(image, all) : -1,
      containers: -1,
    }),
  );
}

export function inspectImage(docker: DockerParts, name: string): Shape {
  const image = findImageRecord(docker, name);
  const tags = tagsById(docker.repositories.all()).get(image.id) ?? [];
  return imageJson({ image, tags, digests: docker.digests.namesOf(image.id), graphDriver: docker.graph.name });
}

/** The id of the image stands with its last step; ids of the others are not kept. */
export function historyOfImage(docker: DockerParts, name: string): readonly Shape[] {
  const image = findImageRecord(docker, name);
  const tags = tagsById(docker.repositories.all()).get(image.id) ?? null;
  return imageHistory(image).map(({ created, createdBy, comment, size }, index) => ({
    Id: index === 0 ? `sha256:${image.id}` : '<missing>',
    Created: created === null ? 0 : Math.floor(Date.parse(created) / 1000),
    CreatedBy: createdBy,
    Tags: index === 0 ? tags : null,
    Size: size,
    Comment: comment,
  }));
}
