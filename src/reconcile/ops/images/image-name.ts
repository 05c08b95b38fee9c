import type { Desired } from '../../../model/desired.ts';
import type { ImageName } from '../../../state/images/image-names.ts';

/** The name under which an image of a manifest appears in `images` and repositories-<driver>. */
export function imageName({ app, name }: Pick<Desired<'image'>, 'app' | 'name'>): ImageName {
  return { repository: `${app}/${name}`, tag: 'latest' };
}
