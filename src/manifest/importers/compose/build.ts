/** `build` of a Compose service as an image source: Compose Build Specification. */
import type { ResourceDraft } from '../draft.ts';
import type { FieldTable, Part } from '../part.ts';
import { pairs } from './networks.ts';

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

const BUILD: FieldTable<ResourceDraft> = {
  context: text('context'),
  dockerfile: text('dockerfile'),
  target: text('target'),
  network: text('network'),
  args: mapping('args'),
  additional_contexts: mapping('contexts'),
  labels: mapping('labels'),
  tags: 'no meaning: the image has the name of its declaration',
  pull: 'no meaning: base images of this host are used as they are',
  no_cache: 'no meaning: `tsdocker build --no-cache` is there for it',
};

/** A directory, or the mapping of the long form. */
export function readBuild(part: Part, image: ResourceDraft): void {
  if (part.content.type === 'text') {
    image.set('build', part.text(), part.at);
    return;
  }
  part.each(BUILD, image, image);
  if (part.get('context') === undefined) image.put('build', 'context', '.', part.at);
}
