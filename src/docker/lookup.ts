/** What clients mean by the name, the id or the beginning of the id of a container, network, volume or image. */
import type { ContainerRecord } from '../state/containers/container-record.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import type { GraphIndex } from '../state/images/graph-index.ts';
import type { ImageRecord } from '../state/images/image-record.ts';
import type { VolumeRecord } from '../state/volumes/volume-record.ts';
import type { VolumeStore } from '../state/volumes/volumes.ts';
import { findImage, type KnownImages, noSuchImage } from './images/references.ts';
import { volumeNameOf } from './names.ts';
import { DockerError } from './wire/docker-error.ts';

type Containers = Pick<ContainerStore, 'all' | 'get' | 'ids' | 'damaged'>;

/** By name; made once for each state of the records. */
const byName = new WeakMap<readonly ContainerRecord[], ReadonlyMap<string, ContainerRecord>>();

function named(records: readonly ContainerRecord[], name: string): ContainerRecord | undefined {
  let known = byName.get(records);
  if (known === undefined) {
    known = new Map(records.map((record) => [record.engineName, record]));
    byName.set(records, known);
  }
  return known.get(name);
}

/** @throws TsdError for a container whose record cannot be read, DockerError 404 */
function readable(containers: Containers, id: string, text: string): ContainerRecord {
  const record = containers.get(id);
  if (record !== undefined) return record;
  throw containers.damaged(id) ?? noContainer(text);
}

const noContainer = (text: string): DockerError => new DockerError(404, `No such container: ${text}`);

/**
 * By whole id, name (with or without its slash), or the beginning of an id.
 * @throws DockerError 404, 400 where several ids begin like this
 */
export function findContainer(containers: Containers, text: string): ContainerRecord {
  if (containers.ids().has(text)) return readable(containers, text, text);
  const record = named(containers.all(), text.startsWith('/') ? text.slice(1) : text);
  if (record !== undefined) return record;
  if (!/^[0-9a-f]+$/.test(text)) throw noContainer(text);
  const begins = [...containers.ids()].filter((id) => id.startsWith(text));
  if (begins.length > 1) throw new DockerError(400, `multiple IDs found with provided prefix: ${text}`);
  const [only] = begins;
  if (only === undefined) throw noContainer(text);
  return readable(containers, only, text);
}

/** By id, name, or the beginning of an id. @throws DockerError 404, 400 where several are meant */
export function findNetwork<T extends { readonly id: string; readonly name: string }>(
  networks: readonly T[],
  text: string,
): T {
  const whole = networks.find(({ id }) => id === text);
  if (whole !== undefined) return whole;
  const ambiguous = (count: number, by: string): DockerError =>
    new DockerError(400, `network ${text} is ambiguous (${count} matches found based on ${by})`);
  const sameName = networks.filter(({ name }) => name === text);
  if (sameName.length > 1) throw ambiguous(sameName.length, 'name');
  const begins = networks.filter(({ id }) => text !== '' && id.startsWith(text));
  if (sameName.length === 0 && begins.length > 1) throw ambiguous(begins.length, 'ID prefix');
  const found = sameName[0] ?? begins[0];
  if (found === undefined) throw new DockerError(404, `network ${text} not found`);
  return found;
}

/** By name; those without one are called by their id. @throws DockerError 404 */
export function findVolume(volumes: Pick<VolumeStore, 'all'>, text: string): VolumeRecord {
  const found = volumes.all().find((volume) => volumeNameOf(volume) === text);
  if (found === undefined) throw new DockerError(404, `get ${text}: no such volume`);
  return found;
}

/** By id, name or the beginning of an id. @throws DockerError 404, 400 for what is no name */
export function findImageRecord(
  known: KnownImages & { readonly images: Pick<GraphIndex, 'damaged'> },
  text: string,
): ImageRecord {
  const { images } = known;
  const { id } = findImage(known, text);
  const image = images.get(id);
  if (image !== undefined) return image;
  throw images.damaged(id) ?? noSuchImage(text);
}
