/** Files of the kernel about itself, as sysinfo.ts asks for them. Null for an absent file; a failed read is an error. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readXattrs } from '../files/layer-files.ts';

export interface HostFiles {
  text(path: string): string | null;
  /** Names in a directory. */
  names(directory: string): readonly string[] | null;
  /** Whether systemd hands a control group over. */
  isDelegated(directory: string): boolean;
}

function unlessAbsent<T>(read: () => T): T | null {
  try {
    return read();
  } catch (thrown) {
    if (['ENOENT', 'ENOTDIR'].includes((thrown as NodeJS.ErrnoException).code ?? '')) return null;
    throw thrown;
  }
}

/** systemd marks directories that it hands over (Delegate=yes) with one of these attributes. */
function isDelegated(directory: string): boolean {
  if (!existsSync(directory)) return false;
  const attributes = readXattrs(directory);
  return ['trusted.delegate', 'user.delegate'].some((name) => attributes.get(name)?.toString() === '1');
}

export const KERNEL_FILES: HostFiles = {
  text: (path) => unlessAbsent(() => readFileSync(path, 'utf8')),
  names: (directory) => unlessAbsent(() => readdirSync(directory)),
  isDelegated,
};
