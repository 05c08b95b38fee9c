/** GET /images/{name}/json and the entries of /images/json. Pure. */

import type { JsonValue } from '../../model/json.ts';
import { ZERO_TIME } from '../../state/files/go-time.ts';
import type { ImageRecord } from '../../state/images/image-record.ts';
import { imageDocument, imageRunConfig } from '../containers/image-config.ts';
import type { JsonObject } from '../containers/json-object.ts';
import { imageLabels, imageSize } from './image-facts.ts';

/** Members that are always there, with what they are without a value. */
const ALWAYS: JsonObject = {
  User: '',
  Env: null,
  Cmd: null,
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

const OPTIONAL = ['ArgsEscaped', 'ExposedPorts', 'Healthcheck', 'Shell', 'StopSignal'];

function configJson(image: ImageRecord): JsonObject {
  const config = imageRunConfig(image);
  const set = (name: string): boolean => config[name] !== undefined && config[name] !== null;
  return {
    ...ALWAYS,
    ...Object.fromEntries(
      [...Object.keys(ALWAYS), ...OPTIONAL].filter(set).map((name) => [name, config[name] as JsonValue]),
    ),
  };
}

const textAt = (document: JsonObject, name: string): string => {
  const value = document[name];
  return typeof value === 'string' ? value : '';
};

function commentOf(image: ImageRecord, document: JsonObject): string {
  const history = Array.isArray(document.history) ? (document.history as readonly JsonObject[]) : [];
  return image.comment || textAt(document, 'comment') || textAt(history.at(-1) ?? {}, 'comment');
}

/** Empty but for one that was committed: others come as a whole. */
function parentOf({ Tsdocker: stored }: ImageRecord): string {
  return stored?.Parent ? `sha256:${stored.Parent}` : '';
}

export interface ImageFacts {
  readonly image: ImageRecord;
  readonly tags: readonly string[];
  /** `repository@sha256:…`. */
  readonly digests: readonly string[];
  readonly graphDriver: string;
}

export function imageJson({ image, tags, digests, graphDriver }: ImageFacts): Readonly<Record<string, unknown>> {
  const document = imageDocument(image);
  const variant = textAt(document, 'variant');
  const version = textAt(document, 'os.version');
  return {
    Id: `sha256:${image.id}`,
    RepoTags: tags,
    RepoDigests: digests,
    Parent: parentOf(image),
    Comment: commentOf(image, document),
    ...(image.created !== ZERO_TIME && { Created: image.created }),
    DockerVersion: image.docker_version || textAt(document, 'docker_version'),
    Author: image.author || textAt(document, 'author'),
    Config: configJson(image),
    Architecture: image.architecture,
    ...(variant !== '' && { Variant: variant }),
    Os: image.os || 'linux',
    ...(version !== '' && { OsVersion: version }),
    Size: imageSize(image),
    GraphDriver: { Name: graphDriver, Data: null },
    RootFS: { Type: 'layers', Layers: (image.Tsdocker?.Layers ?? []).map(({ DiffId }) => `sha256:${DiffId}`) },
    // When a name was given is not kept.
    Metadata: { LastTagTime: ZERO_TIME },
  };
}

export function imageSummary({
  image,
  tags,
  digests,
  sharedBytes,
  containers,
}: {
  readonly image: ImageRecord;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  /** Of layers that other images have as well; -1 where it was not asked for. */
  readonly sharedBytes: number;
  /** -1 where it was not asked for. */
  readonly containers: number;
}): Readonly<Record<string, unknown>> {
  const labels = imageLabels(image);
  return {
    Id: `sha256:${image.id}`,
    ParentId: parentOf(image),
    RepoTags: tags,
    RepoDigests: digests,
    Created: Math.max(0, Math.floor(Date.parse(image.created) / 1000)),
    Size: imageSize(image),
    SharedSize: sharedBytes,
    Labels: Object.keys(labels).length === 0 ? null : labels,
    Containers: containers,
  };
}

/** Bytes of the layers of an image that others have as well. */
export function sharedBytesOf(image: ImageRecord, all: readonly ImageRecord[]): number {
  const others = new Set(
    all
      .filter(({ id }) => id !== image.id)
      .flatMap(({ Tsdocker }) => (Tsdocker?.Layers ?? []).map((one) => one.ChainId)),
  );
  const shared = (image.Tsdocker?.Layers ?? []).filter(({ ChainId }) => others.has(ChainId));
  return shared.reduce((sum, { Size }) => sum + Size, 0);
}
