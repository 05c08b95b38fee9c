/**
 * A Compose file as its project has it, on images that stand in for those that it names: what it builds and what it binds is
 * beside it, and its variables have values.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { imageReference, safeName } from '../../src/manifest/importers/names.ts';
import { storedName } from './stored-name.ts';

interface Build {
  readonly context?: string;
  readonly target?: string;
}

interface ServiceText {
  readonly image?: string;
  readonly build?: string | Build;
  readonly container_name?: string;
  readonly hostname?: string;
  readonly network_mode?: string;
  readonly networks?: readonly string[] | Readonly<Record<string, { aliases?: readonly string[] } | null>>;
  readonly volumes?: readonly (string | { readonly type: string; readonly source: string })[];
  readonly environment?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly command?: string | readonly string[];
}

interface ProjectText {
  readonly services: Readonly<Record<string, ServiceText>>;
  readonly secrets?: Readonly<Record<string, { readonly file: string }>>;
}

interface Named {
  readonly name: string;
  readonly networks: readonly string[];
}

/** A service, by the container that it becomes. */
export interface ExampleService {
  readonly container: string;
  /** None where it has no network of its own. */
  readonly networks: readonly string[];
  /** By which others find it, each with the networks that it counts on. */
  readonly names: readonly Named[];
  /** Words of its environment and command that are no longer than a host's name. */
  readonly words: readonly string[];
}

/** Programs of health checks, which find nothing to complain about. */
export const CHECKS = ['curl', 'mysqladmin', 'pg_isready', 'sqlcmd'];

const buildOf = ({ build }: ServiceText): Build | null =>
  build === undefined ? null : typeof build === 'string' ? { context: build } : build;

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) writeFileSync(path, text);
}

/** Files that a mount needs; directories are made by who mounts them. */
function sourcesOf({ volumes = [] }: ServiceText): string[] {
  const sources = volumes.map((volume) => (typeof volume === 'string' ? (volume.split(':')[0] ?? '') : volume.source));
  return sources.filter((source) => /^\.\/.*\.\w+$/.test(source));
}

function networksOf({ networks, network_mode: mode }: ServiceText): string[] {
  if (mode !== undefined) return [];
  if (networks === undefined) return ['default'];
  return Array.isArray(networks) ? [...networks] : Object.keys(networks);
}

function namesOf(service: string, text: ServiceText): Named[] {
  const { networks = {}, container_name: container, hostname } = text;
  const everywhere = [service, container, hostname].filter((name) => name !== undefined);
  const ofNetworks = Array.isArray(networks) ? [] : Object.entries(networks);
  return [
    ...everywhere.map((name) => ({ name, networks: networksOf(text) })),
    ...ofNetworks.flatMap(([network, settings]) =>
      [...(settings?.aliases ?? [])].map((name) => ({ name, networks: [network] })),
    ),
  ];
}

function wordsOf({ environment = [], command = [] }: ServiceText): string[] {
  const values = Array.isArray(environment) ? environment : Object.values(environment);
  const texts = [...values, ...(Array.isArray(command) ? command : [command])].map(String);
  return texts.flatMap((text) => text.split(/[^\w.-]+/)).filter((word) => word !== '');
}

export interface Example {
  readonly app: string;
  readonly file: string;
  /** Names that the images it pulls have here. */
  readonly images: readonly string[];
  readonly services: readonly ExampleService[];
}

/** Puts a Compose file into a directory of its own, with what belongs to it. @param base name of the image to build on */
export function prepareExample(directory: string, app: string, text: string, base: string): Example {
  const { services, secrets = {} } = parse(text, { merge: true }) as ProjectText;
  const file = join(directory, `${app}.yaml`);
  write(file, text);
  const variables = [...text.matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name);
  const values = variables.map((name) => `${name}=${name.endsWith('_PATH') ? './data' : 'x'}\n`);
  write(join(directory, '.env'), [...new Set(values)].join(''));
  mkdirSync(join(directory, 'data'), { recursive: true });
  for (const { file: secret } of Object.values(secrets)) write(join(directory, secret), 'secret\n');
  for (const service of Object.values(services)) {
    const build = buildOf(service);
    const stage = build?.target === undefined ? '' : ` AS ${build.target}`;
    if (build) write(resolve(directory, build.context ?? '.', 'Dockerfile'), `FROM ${base}${stage}\n`);
    for (const source of sourcesOf(service)) write(join(directory, source), '');
  }
  const images = Object.values(services).flatMap((service) =>
    service.image === undefined || buildOf(service) ? [] : [storedName(imageReference(service.image))],
  );
  return {
    app,
    file,
    images: [...new Set(images)],
    services: Object.entries(services).map(([name, service]) => ({
      container: safeName(name) ?? name,
      networks: networksOf(service),
      names: namesOf(name, service),
      words: wordsOf(service),
    })),
  };
}
