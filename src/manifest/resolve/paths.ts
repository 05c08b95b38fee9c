import { resolve } from 'node:path';
import type { SpecOfKind } from '../../model/desired.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ImageSource, ImageSpec } from '../../model/kinds/image.ts';
import { profilePath } from '../../model/kinds/seccomp-forms.ts';
import type { Kind } from '../../model/resource.ts';

function imagePaths(source: ImageSource, at: (path: string) => string): ImageSource {
  if (source.type === 'pull') return source;
  if (source.type === 'build') {
    const contexts = Object.entries(source.contexts).map(([name, where]) => [
      name,
      where.startsWith('docker-image://') ? where : at(where),
    ]);
    const secrets = Object.entries(source.secrets).map(([id, path]) => [id, at(path)]);
    return {
      ...source,
      context: at(source.context),
      contexts: Object.fromEntries(contexts),
      secrets: Object.fromEntries(secrets),
    };
  }
  if (source.type !== 'host') return { ...source, path: at(source.path) };
  // A bare word is looked up in PATH; only what has a slash is a path.
  return { ...source, binaries: source.binaries.map((name) => (name.includes('/') ? at(name) : name)) };
}

function containerPaths(spec: ContainerSpec, at: (path: string) => string): ContainerSpec {
  const env = Object.entries(spec.env).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : { fromFile: at(value.fromFile) },
  ]);
  const volumes = spec.volumes.map((mount) =>
    mount.type === 'bind' && mount.source !== null ? { ...mount, source: at(mount.source) } : mount,
  );
  const profile = profilePath(spec);
  const seccomp = profile === null ? spec.seccomp : at(profile);
  return { ...spec, env: Object.fromEntries(env), envFile: spec.envFile.map(at), volumes, seccomp };
}

/** The spec with every path of the host absolute. @param baseDir directory of the manifest, absolute. */
export function withAbsolutePaths<K extends Kind>(kind: K, spec: SpecOfKind[K], baseDir: string): SpecOfKind[K] {
  const at = (path: string) => resolve(baseDir, path);
  if (kind === 'image') {
    const image = spec as ImageSpec;
    return { ...image, source: imagePaths(image.source, at) } as SpecOfKind[K];
  }
  return kind === 'container' ? (containerPaths(spec as ContainerSpec, at) as SpecOfKind[K]) : spec;
}
