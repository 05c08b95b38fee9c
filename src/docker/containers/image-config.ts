/** The configuration of an image in Docker's form, and what a container has of it. Pure. */
import type { JsonValue } from '../../model/json.ts';
import type { ImageRecord } from '../../state/images/image-record.ts';
import { type JsonObject, objectAt } from './json-object.ts';

/** Parsed once: the text of an image never changes. */
const parsed = new WeakMap<ImageRecord, JsonObject>();

/** The whole OCI configuration, and Docker's additions to it. */
export function imageDocument(image: ImageRecord): JsonObject {
  const known = parsed.get(image);
  if (known !== undefined) return known;
  const document = JSON.parse(image.Tsdocker?.ConfigJson || '{}') as JsonObject;
  parsed.set(image, document);
  return document;
}

/** What it says of running it; of an image of Docker 1.4 what its record has. */
export function imageRunConfig(image: ImageRecord | undefined): JsonObject {
  if (image === undefined) return {};
  if (image.Tsdocker) return objectAt(imageDocument(image), 'config');
  // Plain data as Docker 1.4 wrote it; an interface has no index signature.
  return (image.config ?? {}) as unknown as JsonObject;
}

const nameOf = (variable: JsonValue): string => String(variable).split('=', 1)[0] ?? '';

const listAt = (config: JsonObject, name: string): readonly JsonValue[] | null => {
  const value = config[name];
  // A text stands for a list of one.
  return Array.isArray(value) ? value : typeof value === 'string' ? [value] : null;
};

const isEmpty = (list: readonly JsonValue[] | null): boolean => list === null || list.length === 0;

/** Of the container, then those of the image that it does not have. */
function mergedEnv(
  own: readonly JsonValue[] | null,
  ofImage: readonly JsonValue[] | null,
): readonly JsonValue[] | null {
  if (own === null || own.length === 0) return ofImage ?? own;
  const names = new Set(own.map(nameOf));
  return [...own, ...(ofImage ?? []).filter((variable) => !names.has(nameOf(variable)))];
}

/** Null where neither has a member. */
function mergedMembers(own: JsonObject, ofImage: JsonObject): JsonObject | null {
  const members = { ...ofImage, ...own };
  return Object.keys(members).length === 0 ? null : members;
}

function mergedHealthcheck(own: JsonObject, ofImage: JsonObject): JsonObject | null {
  const set = Object.entries(own).filter(([, value]) => value !== null && value !== 0 && !isEmptyList(value));
  return mergedMembers(Object.fromEntries(set), ofImage);
}

const isEmptyList = (value: JsonValue): boolean => Array.isArray(value) && value.length === 0;

/** `[""]` takes the entrypoint of the image away. */
function mergedCommand(own: JsonObject, ofImage: JsonObject): Pick<JsonObject, 'Cmd' | 'Entrypoint'> {
  const [entrypoint, cmd] = [listAt(own, 'Entrypoint'), listAt(own, 'Cmd')];
  if (!isEmpty(entrypoint))
    return { Entrypoint: entrypoint?.length === 1 && entrypoint[0] === '' ? null : entrypoint, Cmd: cmd };
  return {
    Entrypoint: entrypoint ?? listAt(ofImage, 'Entrypoint'),
    Cmd: isEmpty(cmd) ? listAt(ofImage, 'Cmd') : cmd,
  };
}

/** Members that are left out where they are not set. */
const OPTIONAL = ['ArgsEscaped', 'NetworkDisabled', 'MacAddress', 'StopTimeout', 'Shell'] as const;
const FLAGS = ['AttachStdin', 'AttachStdout', 'AttachStderr', 'Tty', 'OpenStdin', 'StdinOnce'] as const;

/** Every member that a request may have. */
export const CONFIG_NAMES: readonly string[] = [
  ...['Hostname', 'Domainname', 'User', 'ExposedPorts', 'Env', 'Cmd', 'Entrypoint', 'Healthcheck', 'Image', 'Volumes'],
  ...['WorkingDir', 'OnBuild', 'Labels', 'StopSignal'],
  ...FLAGS,
  ...OPTIONAL,
];

function textOf(own: JsonObject, ofImage: JsonObject, name: string): string {
  const [first, second] = [own[name], ofImage[name]];
  return typeof first === 'string' && first !== '' ? first : typeof second === 'string' ? second : '';
}

/**
 * What a container was asked for, with what its image says.
 * @param hostname of a container that asked for none
 */
export function mergedConfig(own: JsonObject, ofImage: JsonObject, hostname: string): JsonObject {
  const ports = mergedMembers(objectAt(own, 'ExposedPorts'), objectAt(ofImage, 'ExposedPorts'));
  const healthcheck = mergedHealthcheck(objectAt(own, 'Healthcheck'), objectAt(ofImage, 'Healthcheck'));
  const stopSignal = textOf(own, ofImage, 'StopSignal');
  const optional = OPTIONAL.flatMap((name) => {
    const value = own[name];
    return value === undefined || value === null || value === false || value === '' ? [] : [[name, value] as const];
  });
  return {
    Hostname: textOf(own, {}, 'Hostname') || hostname,
    Domainname: textOf(own, {}, 'Domainname'),
    User: textOf(own, ofImage, 'User'),
    ...Object.fromEntries(FLAGS.map((name) => [name, own[name] === true])),
    ...(ports !== null && { ExposedPorts: ports }),
    Env: mergedEnv(listAt(own, 'Env'), listAt(ofImage, 'Env')),
    ...mergedCommand(own, ofImage),
    ...(healthcheck !== null && { Healthcheck: healthcheck }),
    Image: textOf(own, {}, 'Image'),
    Volumes: mergedMembers(objectAt(own, 'Volumes'), objectAt(ofImage, 'Volumes')),
    WorkingDir: textOf(own, ofImage, 'WorkingDir'),
    OnBuild: listAt(own, 'OnBuild'),
    Labels: { ...objectAt(ofImage, 'Labels'), ...objectAt(own, 'Labels') },
    ...(stopSignal !== '' && { StopSignal: stopSignal }),
    ...Object.fromEntries(optional),
  };
}
