/** Filesystems in memory: options of mount(8) in a text, or members of a mount. */
import { parseBytes } from '../../model/kinds/short-forms.ts';
import type { MountBody } from './container-body.ts';
import { refuse } from './context.ts';

/** What each has anyway, as Docker's have. */
const STANDARD = ['rw', 'nosuid', 'nodev', 'noexec'];
const STANDARD_MODE = 0o1777;

type Written = Readonly<Record<string, unknown>>;

/** `size=64m,mode=1777,ro` */
export function tmpfsOptions(options: string): Written {
  const written: Record<string, unknown> = { type: 'tmpfs' };
  for (const option of options.split(',').filter((one) => one !== '' && !STANDARD.includes(one))) {
    const [name = '', value = ''] = option.split('=', 2);
    if (option === 'ro') written.readOnly = true;
    else if (name === 'size') written.size = sizeOf(value);
    else if (name !== 'mode' || Number.parseInt(value, 8) !== STANDARD_MODE)
      refuse(`tmpfs option ${JSON.stringify(option)} is not supported`);
  }
  return written;
}

function sizeOf(value: string): number {
  const bytes = parseBytes(value);
  return bytes.ok ? bytes.value : refuse(`tmpfs option size: ${bytes.message}`);
}

export function tmpfsMount(target: string, readOnly: boolean, options: MountBody['TmpfsOptions']): Written {
  const { SizeBytes = 0, Mode = 0, Options = [] } = options ?? {};
  if (SizeBytes < 0) refuse('invalid mount config for type "tmpfs": size must not be negative');
  const listed = Options.map((pair) => pair.join('=')).join(',');
  const mode = Mode === 0 ? '' : `,mode=${Mode.toString(8)}`;
  const size = SizeBytes > 0 && { size: SizeBytes };
  return { target, ...(readOnly && { readOnly }), ...tmpfsOptions(`${listed}${mode}`), ...size };
}
