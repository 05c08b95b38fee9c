/** `build` of a Compose service as an image source: Compose Build Specification. */
import type { ResourceDraft } from '../draft.ts';
import type { FieldTable, Part } from '../part.ts';
import { pairs } from './pairs.ts';
import type { Storage } from './storage.ts';

const text =
  (field: string) =>
  (part: Part, image: ResourceDraft): void =>
    image.put('build', field, part.text(), part.at);

const mapping =
  (field: string) =>
  (part: Part, image: ResourceDraft): void => {
    const values = Object.fromEntries(pairs(part).map(([name, value]) => [name, value]));
    image.put('build', field, values, part.at);
  };

/** One image is built; Compose would make one for each platform. */
function platforms(part: Part, image: ResourceDraft): void {
  const all = part.items();
  const [only] = all;
  if (only && all.length === 1) image.put('build', 'platform', only.text(), only.at);
  else image.warn(part.keyAt, 'platforms: a build makes an image for one; all are left out');
}

const BUILD: FieldTable<ResourceDraft> = {
  context: text('context'),
  dockerfile: text('dockerfile'),
  dockerfile_inline: text('dockerfileInline'),
  target: text('target'),
  network: text('network'),
  args: mapping('args'),
  additional_contexts: mapping('contexts'),
  labels: mapping('labels'),
  platforms,
  tags: 'no meaning: the image has the name of its declaration',
  pull: 'no meaning: base images of this host are used as they are',
  no_cache: 'no meaning: `tsdocker build --no-cache` is there for it',
  cache_from: 'no meaning: what was built on this host is the cache',
  cache_to: 'no meaning: what was built on this host is the cache',
  isolation: 'no meaning: it is for Windows',
  provenance: 'no meaning: it is for registries, and the image stays on this host',
  sbom: 'no meaning: it is for registries, and the image stays on this host',
  entitlements: 'later',
  extra_hosts: 'later',
  privileged: 'later',
  shm_size: 'later',
  ssh: 'later',
  ulimits: 'later',
};

/** A directory, or the mapping of the long form. */
export function readBuild(part: Part, image: ResourceDraft, storage: Storage): void {
  if (part.content.type === 'text') {
    image.set('build', part.text(), part.at);
    return;
  }
  const secrets = (list: Part): void => {
    for (const item of list.items()) storage.buildSecret(item, image);
  };
  part.each({ ...BUILD, secrets }, image, image);
  const inline = part.get('dockerfile_inline');
  if (inline && part.get('dockerfile'))
    image.refuse(inline.keyAt, 'dockerfile and dockerfile_inline exclude each other');
  if (part.get('context') === undefined) image.put('build', 'context', '.', part.at);
}
