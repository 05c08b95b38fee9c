/** POST /volumes/create as our own specification of a volume. Pure. */
import { type VolumeSpec, volumeSchema } from '../../model/kinds/volume.ts';
import { DockerError } from '../wire/docker-error.ts';
import { refuse } from './context.ts';
import { decode, struct, text, textMap } from './go-json.ts';
import { checkVolumeDriver, checkVolumeName } from './mounts/volume-name.ts';

const volumeBody = struct({
  Name: text(),
  Driver: text(),
  DriverOpts: textMap(),
  Labels: textMap(),
  ClusterVolumeSpec: struct({}).optional(),
});

export interface TranslatedVolume {
  /** Empty for one that is chosen where it is made. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As a manifest would write it. */
  readonly written: Readonly<Record<string, unknown>>;
  readonly spec: VolumeSpec;
}

const NO_SWARM =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

/**
 * @param body as it was sent, any JSON; Docker takes none too
 * @throws DockerError with Docker's words
 */
export function specOfVolume(body: unknown): TranslatedVolume {
  const { Name, Driver, DriverOpts, Labels, ClusterVolumeSpec } = decode(volumeBody, body ?? {});
  if (ClusterVolumeSpec !== undefined) throw new DockerError(503, NO_SWARM);
  if (Name !== '') checkVolumeName(Name);
  checkVolumeDriver(Driver, DriverOpts, Name);
  // It is removed when a client removes it, and not before.
  const written = { onRemove: 'delete', ...(Object.keys(Labels).length > 0 && { labels: Labels }) };
  const result = volumeSchema.safeParse(written);
  if (result.success) return { name: Name, labels: Labels, written, spec: result.data };
  const [issue] = result.error.issues;
  return refuse(`create ${Name}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}
