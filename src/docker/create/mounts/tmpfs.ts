/** Filesystems in memory: options of mount(8) in a text, or members of a mount. */
import { parseBytes } from '../../../model/kinds/short-forms.ts';
import type { MountBody } from '../container-body.ts';
import { refuse } from '../context.ts';

/** What each has anyway, as Docker's have. */
const STANDARD = ['rw', 'nosuid', 'nodev', 'noexec'];

type Written = Readonly<Record<string, unknown>>;

const number = (text: string, base: 8 | 10): number | null =>
  (base === 8 ? /^[0-7]{1,4}$/ : /^\d{1,10}$/).test(text) ? Number.parseInt(text, base) : null;

const modeText = (mode: number): string => mode.toString(8).padStart(4, '0');

/** `size=64m,mode=755,uid=1000,exec,ro` */
export function tmpfsOptions(options: string): Written {
  const written: Record<string, unknown> = { type: 'tmpfs' };
  const owner = { uid: 0, gid: 0 };
  for (const option of options.split(',').filter((one) => one !== '' && !STANDARD.includes(one))) {
    const [name = '', value = ''] = option.split('=', 2);
    const id = name === 'uid' || name === 'gid' ? number(value, 10) : null;
    const mode = name === 'mode' ? number(value, 8) : null;
    if (option === 'ro') written.readOnly = true;
    else if (option === 'exec') written.exec = true;
    else if (name === 'size') written.size = sizeOf(value);
    else if (mode !== null) written.mode = modeText(mode);
    else if (id !== null) {
      owner[name as 'uid' | 'gid'] = id;
      written.owner = `${owner.uid}:${owner.gid}`;
    } else refuse(`tmpfs option ${JSON.stringify(option)} is not supported`);
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
