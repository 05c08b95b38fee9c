/** An image of one static program, for tests that need one by its tag. */
import { readFileSync } from 'node:fs';
import { dockerArchive, findBusybox, type TarFixture, tarOf } from './images.ts';

const APPLETS = ['sh', 'sleep', 'echo', 'cat', 'ls', 'true', 'false', 'touch', 'kill', 'ps', 'wget', 'nc', 'ip', 'env'];

/**
 * @param config beside a shell as the command and a path of programs
 * @param more programs beside those of every test
 */
export function busyboxArchive(
  name: string,
  config: Readonly<Record<string, unknown>> = {},
  more: readonly string[] = [],
): Buffer {
  const program = findBusybox();
  if (program === null) throw new Error('no busybox is installed');
  const files: TarFixture[] = [
    { path: 'bin/', type: 'directory', mode: 0o755 },
    { path: 'bin/busybox', content: readFileSync(program), mode: 0o755 },
    ...[...APPLETS, ...more].map(
      (applet): TarFixture => ({ path: `bin/${applet}`, type: 'symlink', linkname: 'busybox' }),
    ),
    { path: 'etc/', type: 'directory', mode: 0o755 },
    { path: 'etc/passwd', content: 'root:x:0:0:root:/:/bin/sh\n' },
    { path: 'tmp/', type: 'directory', mode: 0o777 },
  ];
  const all = { Cmd: ['sh'], Env: ['PATH=/bin'], ...config };
  return dockerArchive({ layers: [tarOf(...files)], config: all, names: [name] });
}
