/** Platforms as clients write them: `linux`, `linux/arm64`, `linux/arm/v7`, `arm64`. */
import { goArchitecture } from '../../model/platform.ts';
import { DockerError } from '../wire/docker-error.ts';

const PART = /^[A-Za-z0-9_-]+$/;
const SYSTEMS = ['linux', 'windows', 'darwin', 'freebsd', 'netbsd', 'openbsd', 'solaris', 'aix', 'plan9', 'android'];
/** Other names of architectures. */
const ALIASES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  i386: '386',
  armhf: 'arm',
  armel: 'arm',
};
const ARCHITECTURES = [
  'amd64',
  '386',
  'arm',
  'arm64',
  'ppc64le',
  'ppc64',
  's390x',
  'riscv64',
  'mips64',
  'mips64le',
  'loong64',
];

/** `os/architecture[/variant]`; null where none is asked for. @throws DockerError 400 with Docker's words */
export function platformOf(text: string): string | null {
  if (text === '') return null;
  const parts = text.split('/');
  if (parts.length > 3 || !parts.every((part) => PART.test(part))) {
    throw new DockerError(
      400,
      `${JSON.stringify(text)} is an invalid component of ${JSON.stringify(text)}: platform specifier component must match "^[A-Za-z0-9_-]+$": invalid argument`,
    );
  }
  const [first = '', second, variant] = parts.map((part) => part.toLowerCase());
  const architecture = (name: string): string => ALIASES[name] ?? name;
  if (second !== undefined) {
    return [first, architecture(second), ...(variant === undefined ? [] : [variant])].join('/');
  }
  if (SYSTEMS.includes(first)) return `${first}/${goArchitecture(process.arch)}`;
  if (ARCHITECTURES.includes(architecture(first))) return `linux/${architecture(first)}`;
  throw new DockerError(400, `${JSON.stringify(text)}: unknown operating system or architecture: invalid argument`);
}
