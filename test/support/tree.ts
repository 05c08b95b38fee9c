import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readXattrs } from '../../src/ffi/files/layer-files.ts';

/** One line for each file below a directory with all that an inode says, for comparing trees; `own` paths only. */
export function describeTree(root: string, options: { readonly times: boolean } = { times: true }): string[] {
  const firstNames = new Map<bigint, string>();
  const visit = (path: Buffer, name: string): string[] => {
    const stat = lstatSync(path, { bigint: true });
    const linked = !stat.isDirectory() && stat.nlink > 1n;
    const first = linked ? firstNames.get(stat.ino) : undefined;
    if (first !== undefined) return [`${name} = ${first}`];
    firstNames.set(stat.ino, name);
    const xattrs = [...readXattrs(path)].map(([key, value]) => `${key}:${value.toString('hex')}`);
    const content = stat.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 12) : '';
    const target = stat.isSymbolicLink() ? readlinkSync(path, { encoding: 'buffer' }).toString('latin1') : '';
    const device = stat.isCharacterDevice() || stat.isBlockDevice() ? `dev ${stat.rdev}` : '';
    const time = options.times ? String(stat.mtimeNs) : '';
    const facts = [stat.mode.toString(8), `${stat.uid}:${stat.gid}`, time, content, target, device, ...xattrs];
    const children = stat.isDirectory() ? readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare) : [];
    return [
      `${name} ${facts.filter((fact) => fact !== '').join(' ')}`,
      ...children.flatMap((child) =>
        visit(Buffer.concat([path, Buffer.from('/'), child]), `${name}/${child.toString('latin1')}`),
      ),
    ];
  };
  return visit(Buffer.from(root), '.');
}
