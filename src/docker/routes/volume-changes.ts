/** Volumes that clients make, remove and prune. */
import { randomBytes } from 'node:crypto';
import { isImperative } from '../../model/imperative/request.ts';
import type { JsonValue } from '../../model/json.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { newId } from '../../state/ids.ts';
import type { VolumeRecord } from '../../state/volumes/volume-record.ts';
import { ANONYMOUS } from '../../supervisor/imperative/volumes.ts';
import { pruning } from '../changes/pruning.ts';
import { requestOf } from '../changes/request-of.ts';
import { specOfVolume } from '../create/volume-spec.ts';
import { findVolume } from '../lookup.ts';
import { volumeNameOf } from '../names.ts';
import { volumeFacts } from '../volumes/volume-facts.ts';
import { volumeJson } from '../volumes/volume-json.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, param, route } from '../wire/route.ts';

/** From here on a prune spares volumes with a name, unless `all` is asked for. */
const SPARES_NAMED = 42;

function shown({ docker }: DockerCall, volume: VolumeRecord): DockerReply {
  const facts = volumeFacts(docker, volume);
  if (facts === null) throw new DockerError(404, `get ${volumeNameOf(volume)}: no such volume`);
  return json(volumeJson(facts), 201);
}

async function create(call: DockerCall): Promise<DockerReply> {
  const { docker } = call;
  const body = await call.readBody();
  const { name: asked, labels } = specOfVolume(body);
  const there = docker.volumes.all().find((volume) => asked !== '' && volumeNameOf(volume) === asked);
  if (there) return shown(call, there);
  if (asked !== '') return shown(call, await docker.imperative.volumes.create(asked, requestOf(call, body, false)));
  const given = body as { readonly [name: string]: JsonValue } | null | undefined;
  const marked = { ...given, Labels: { ...ANONYMOUS, ...labels } };
  return shown(call, await docker.imperative.volumes.create(newId(randomBytes), requestOf(call, marked, false)));
}

/** Null for one that no client made. */
function keyOf({ owner }: VolumeRecord): ResourceKey | null {
  return owner.type === 'named' && isImperative(owner.key) ? owner.key : null;
}

function found(call: DockerCall): VolumeRecord | null {
  try {
    return findVolume(call.docker.volumes, param(call, 'name'));
  } catch (thrown) {
    if (call.query.flag('force') && thrown instanceof DockerError && thrown.status === 404) return null;
    throw thrown;
  }
}

async function remove(call: DockerCall): Promise<DockerReply> {
  const { docker } = call;
  const volume = found(call);
  if (volume === null) return { type: 'empty', status: 204 };
  const [key, name] = [keyOf(volume), volumeNameOf(volume)];
  const users = docker.containers
    .all()
    .filter(({ volumes }) => Object.values(volumes).some(({ path }) => path === volume.path));
  if (users.length > 0)
    throw new DockerError(409, `remove ${name}: volume is in use - [${users.map(({ id }) => id).join(', ')}]`);
  if (key === null)
    throw new DockerError(409, `remove ${name}: a manifest declares it: its data goes by \`tsdocker approve\` there`);
  await docker.imperative.volumes.removeUnused([key]);
  return { type: 'empty', status: 204 };
}

async function prune(call: DockerCall): Promise<DockerReply> {
  const { docker, query, minor } = call;
  const filters = query.filters(['label', 'label!', 'all']);
  const all = minor < SPARES_NAMED || filters.flag('all') === true;
  const { gone, bytes } = await pruning(docker, 'volumes', async () => {
    const keys = docker.volumes.all().flatMap((volume) => {
      const key = keyOf(volume);
      const labels = volumeFacts(docker, volume)?.labels ?? {};
      const isSpared = !all && !Object.keys(ANONYMOUS).every((label) => label in labels);
      return key !== null && !isSpared && filters.labels(labels) && filters.labels(labels, 'label!') ? [key] : [];
    });
    return await docker.imperative.volumes.prune(keys);
  });
  return json({ VolumesDeleted: gone.map((key) => key.split('/')[2] ?? ''), SpaceReclaimed: bytes });
}

export const volumeChangeRoutes: readonly DockerRoute[] = [
  route('POST', '/volumes/create', create),
  route('POST', '/volumes/prune', prune, 25),
  route('DELETE', '/volumes/{name}', remove),
];
