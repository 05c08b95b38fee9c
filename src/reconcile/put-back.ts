import type { Desired } from '../model/desired.ts';

/** What to type for something that was taken away in the kernel and that its manifest says to leave so. */
export function putBack({ source, app, name }: Pick<Desired, 'source' | 'app' | 'name'>): string {
  return `Set \`drift: heal\` for ${app}/${name} in ${source.file}: it is put back then.`;
}
