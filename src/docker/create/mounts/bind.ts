/** `source:target[:options]` of Binds. */
import { PROPAGATIONS, type Propagation } from '../../../model/kinds/short-forms.ts';
import { normalPath } from '../../../model/kinds/storage-forms.ts';
import { refuse } from '../context.ts';

export interface ParsedBind {
  /** A path of the host or the name of a volume; null for an anonymous one. */
  readonly source: string | null;
  readonly target: string;
  readonly readOnly: boolean;
  readonly propagation: Propagation | null;
  /** Whether an empty volume starts with the content of the image. */
  readonly copy: boolean;
}

/** SELinux labels and consistency have no meaning where there is neither; the rest is what is done anyway. */
const WITHOUT_EFFECT = ['rw', 'z', 'Z', 'private', 'rprivate', 'consistent', 'cached', 'delegated'];
const EXCLUSIVE = [
  ['ro', 'rw'],
  ['z', 'Z'],
  ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'],
  ['consistent', 'cached', 'delegated'],
];

function checkMode(mode: string, isPath: boolean, whole: string): readonly string[] {
  const options = mode.split(',');
  const known = [...WITHOUT_EFFECT, ...PROPAGATIONS, 'ro', 'nocopy'];
  const contradicts = EXCLUSIVE.some((group) => options.filter((option) => group.includes(option)).length > 1);
  if (contradicts || options.some((option) => !known.includes(option))) refuse(`invalid mode: ${mode}`);
  const misplaced = isPath
    ? options.includes('nocopy') && 'bind": field VolumeOptions must not be specified'
    : options.some((option) => EXCLUSIVE[2]?.includes(option)) && 'volume": field BindOptions must not be specified';
  if (misplaced !== false)
    refuse(`invalid volume specification: '${whole}': invalid mount config for type "${misplaced}`);
  return options;
}

/** An absolute path other than the root, without `.`, `..` and double slashes. */
export function checkTarget(path: string, invalid: (message: string) => never): string {
  if (!path.startsWith('/')) invalid(`invalid mount path: '${path}' mount path must be absolute`);
  const target = normalPath(path);
  if (target === '/') invalid("invalid specification: destination can't be '/'");
  return target;
}

/** @throws DockerError 400 */
export function parseBind(text: string): ParsedBind {
  const [first = '', second, mode, ...more] = text.split(':');
  const wrong = (why = ''): never => refuse(`invalid volume specification: '${text}'${why === '' ? '' : `: ${why}`}`);
  if (first === '' || second === '' || more.length > 0) wrong();
  const plain = { readOnly: false, copy: true, propagation: null };
  if (second === undefined) return { source: null, target: checkTarget(first, wrong), ...plain };
  const isPath = first.startsWith('/');
  const type = isPath ? 'bind' : 'volume';
  const target = checkTarget(second, (why) => wrong(`invalid mount config for type "${type}": ${why}`));
  const options = mode === undefined ? [] : checkMode(mode, isPath, text);
  return {
    source: first,
    target,
    readOnly: options.includes('ro'),
    copy: !options.includes('nocopy'),
    propagation: PROPAGATIONS.find((known) => options.includes(known)) ?? null,
  };
}
