/** .build units (podman-build(1) by podman-systemd.unit(5)) as images that are built. */
import { posix } from 'node:path';
import type { ResourceDraft } from '../draft.ts';
import { applyKeys, type KeyTable } from './rules.ts';
import { SYSTEMD_ONLY } from './systemd.ts';
import type { Entry, Unit } from './unit-file.ts';
import { imageOf, type Units } from './units.ts';

type Rule = (entry: Entry, image: ResourceDraft) => void;

const assignments =
  (field: string): Rule =>
  (entry, image) => {
    for (const [name, value] of entry.assignments()) {
      if (value === null) image.warn(entry.at, `${name} would be taken from systemd's environment and is left out`);
      else image.putIn('build', field, name, value, entry.at);
    }
  };

const network: Rule = (entry, image) => {
  const [mode = ''] = entry.text().split(':');
  if (mode === 'host' || mode === 'none') image.put('build', 'network', mode, entry.at);
  else if (!['', 'private', 'bridge', 'slirp4netns', 'pasta'].includes(mode))
    image.warn(entry.at, `RUN has the default network, host or none; ${entry.text()} is left out`);
};

const NO_RETRY = 'no meaning: a build is tried again by itself' as const;

const BUILD: KeyTable<ResourceDraft> = {
  // Read elsewhere: the place of the files, and what containers call the image.
  File: () => {},
  SetWorkingDirectory: () => {},
  ImageTag: () => {},
  Arch: () => {},
  Variant: () => {},
  Secret: () => {},
  Target: (entry, image) => image.put('build', 'target', entry.text(), entry.at),
  BuildArg: assignments('args'),
  Environment: assignments('env'),
  Label: assignments('labels'),
  Network: network,
  Pull: 'no meaning: base images of this host are used as they are',
  ForceRM: 'no meaning: nothing of a build stays',
  AuthFile: 'no meaning: `tsdocker login` keeps logins',
  TLSVerify: 'no meaning: `--insecure-registry` of the supervisor says where certificates do not count',
  Retry: NO_RETRY,
  RetryDelay: NO_RETRY,
  PodmanArgs: 'no meaning: arguments of Podman are not looked at; see what they do here',
  GlobalArgs: 'no meaning: it is for Podman itself',
  ContainersConfModule: 'no meaning: it configures Podman',
  ServiceName: 'no meaning: there is no systemd service',
  Annotation: 'later',
  DNS: 'later',
  DNSOption: 'later',
  DNSSearch: 'later',
  GroupAdd: 'later',
  IgnoreFile: (entry, image) =>
    image.warn(entry.at, `${entry.text()} is left out: what the build does not need stands in .dockerignore beside it`),
  Volume: 'later',
};

export function addBuild(unit: Unit, units: Units): void {
  const image = units.draft.newResource('images', units.nameOf(unit), unit.start);
  place(unit, units, image);
  applyKeys(unit, 'Build', BUILD, image, image);
  platform(unit, image);
  secrets(unit, units, image);
  for (const section of ['Unit', 'Service', 'Install']) applyKeys(unit, section, SYSTEMD_ONLY, image, image);
  if (imageOf(unit) === null) units.draft.refuse(unit.start, `${unit.name.file} has no ImageTag`);
}

function platform(unit: Unit, image: ResourceDraft): void {
  const [arch, variant] = [unit.last('Build', 'Arch'), unit.last('Build', 'Variant')];
  if (arch)
    image.put('build', 'platform', ['linux', arch.text(), ...(variant ? [variant.text()] : [])].join('/'), arch.at);
  else if (variant) image.warn(variant.at, 'a Variant without an Arch is left out');
}

/** `id=npmrc,src=./npmrc`; without src the file is called as the secret. */
function secrets(unit: Unit, units: Units, image: ResourceDraft): void {
  for (const entry of unit.all('Build', 'Secret')) {
    const options = new Map(
      entry
        .text()
        .split(',')
        .map((option) => {
          const [name = '', value = ''] = option.split('=', 2);
          return [name, value] as const;
        }),
    );
    const id = options.get('id') ?? '';
    if (id === '' || options.get('type') === 'env') {
      image.warn(entry.at, `Secret=${entry.text()} is left out: only files can be translated, as id=NAME,src=FILE`);
      continue;
    }
    image.putIn('build', 'secrets', id, units.path(options.get('src') ?? id), entry.at);
  }
}

const isRemote = (text: string): boolean => /^(https?|git|ssh):|^git@|\.git$/.test(text);

/** Context and Dockerfile, as Quadlet and podman build find them. */
function place(unit: Unit, units: Units, image: ResourceDraft): void {
  const directory = unit.last('Build', 'SetWorkingDirectory');
  const file = unit.last('Build', 'File');
  const [where, path] = [directory?.text(), file?.text()];
  const wrong = problem(unit, directory, file);
  if (wrong) {
    image.refuse(wrong.at, wrong.message);
    image.set('build', '.', wrong.at);
    return;
  }
  const byFile = where === undefined || where === 'file';
  const context = where === 'unit' ? '.' : byFile ? units.path(posix.dirname(path ?? '')) : units.path(where);
  image.put('build', 'context', context, (byFile ? file : directory)?.at ?? unit.start);
  const dockerfile = path === undefined ? found(context, units) : byFile ? posix.basename(path) : path;
  if (dockerfile !== 'Dockerfile') image.put('build', 'dockerfile', dockerfile, file?.at ?? unit.start);
}

function problem(unit: Unit, directory: Entry | undefined, file: Entry | undefined) {
  const remote = [directory, file].find((entry) => entry && isRemote(entry.text()));
  if (remote) {
    const message = `${remote.key}=${remote.text()}: what is built is on this host; clone it, and name the directory`;
    return { at: remote.at, message };
  }
  const byFile = directory === undefined || directory.text() === 'file';
  if (file === undefined && byFile) {
    const missing = directory ? 'no File, and SetWorkingDirectory=file' : 'neither SetWorkingDirectory nor File';
    return { at: directory?.at ?? unit.start, message: `${unit.name.file} has ${missing}` };
  }
  if (file !== undefined && directory === undefined && !file.text().startsWith('/')) {
    return { at: file.at, message: 'a relative File needs SetWorkingDirectory' };
  }
  return null;
}

/** podman takes a Containerfile before a Dockerfile. */
function found(context: string, { context: { baseDir, readFile } }: Units): string {
  const read = readFile(posix.resolve(baseDir, context, 'Containerfile'));
  return read.ok || read.reason === 'untrusted' ? 'Containerfile' : 'Dockerfile';
}
