/** Answers in the shape of earlier versions of the API: a table of steps from the newest shape down. Pure. */
import { isPredefined } from './names.ts';
import type { ApiMinor } from './wire/versions.ts';

type Shape = Readonly<Record<string, unknown>>;

/** What an answer is about. */
type Subject = 'container' | 'listed container' | 'image' | 'listed image' | 'network';

interface Step {
  /** Clients of earlier versions get it. */
  readonly before: ApiMinor;
  readonly of: readonly Subject[];
  readonly shape: (answer: Shape) => Shape;
}

const isShape = (value: unknown): value is Shape => typeof value === 'object' && value !== null;

const at = (shape: Shape, name: string): Shape => {
  const value = shape[name];
  return isShape(value) ? value : {};
};

function without(shape: Shape, ...names: readonly string[]): Shape {
  return Object.fromEntries(Object.entries(shape).filter(([name]) => !names.includes(name)));
}

/** Changes each endpoint of a container. */
function endpoints(answer: Shape, change: (endpoint: Shape, network: string) => Shape): Shape {
  const settings = at(answer, 'NetworkSettings');
  const networks = Object.entries(at(settings, 'Networks')).map(([name, endpoint]) => [
    name,
    isShape(endpoint) ? change(endpoint, name) : endpoint,
  ]);
  return { ...answer, NetworkSettings: { ...settings, Networks: Object.fromEntries(networks) } };
}

/** Short id and host name were among the aliases of networks that users made. */
function idAmongAliases(answer: Shape): Shape {
  const own = [String(answer.Id).slice(0, 12), String(at(answer, 'Config').Hostname ?? '')];
  return endpoints(answer, (endpoint, network) => {
    if (isPredefined(network)) return endpoint;
    const aliases = Array.isArray(endpoint.Aliases) ? (endpoint.Aliases as unknown[]) : [];
    return { ...endpoint, Aliases: [...new Set([...aliases, ...own.filter((name) => name !== '')])] };
  });
}

/** What a configuration of an image had of the container that it was made from. */
const OF_CONTAINERS = {
  Hostname: '',
  Domainname: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: '',
};

const NO_CONFIG = {
  ...OF_CONTAINERS,
  User: '',
  Env: null,
  Cmd: null,
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

const untagged = (name: unknown, word: string): unknown => (Array.isArray(name) && name.length === 0 ? [word] : name);

/** The newest first: a client gets all steps of versions after its own, in this order. */
const STEPS: readonly Step[] = [
  {
    before: 50,
    of: ['image'],
    shape: (answer) => ({ ...answer, Config: { ...OF_CONTAINERS, ...at(answer, 'Config') } }),
  },
  { before: 48, of: ['network'], shape: (answer) => without(answer, 'EnableIPv4') },
  {
    before: 48,
    of: ['container', 'listed container'],
    shape: (answer) => endpoints(answer, (endpoint) => without(endpoint, 'GwPriority')),
  },
  { before: 48, of: ['container', 'listed container'], shape: (answer) => without(answer, 'ImageManifestDescriptor') },
  { before: 48, of: ['image', 'listed image'], shape: (answer) => without(answer, 'Descriptor') },
  {
    before: 46,
    of: ['listed container'],
    shape: (answer) => ({ ...answer, HostConfig: without(at(answer, 'HostConfig'), 'Annotations') }),
  },
  { before: 45, of: ['container'], shape: idAmongAliases },
  { before: 45, of: ['image'], shape: (answer) => ({ ContainerConfig: NO_CONFIG, ...answer }) },
  { before: 44, of: ['image', 'listed image'], shape: (answer) => ({ ...answer, VirtualSize: answer.Size }) },
  { before: 44, of: ['image'], shape: (answer) => ({ Created: '0001-01-01T00:00:00Z', ...answer }) },
  {
    before: 43,
    of: ['listed image'],
    shape: (answer) => ({
      ...answer,
      RepoTags: untagged(answer.RepoTags, '<none>:<none>'),
      RepoDigests: untagged(answer.RepoDigests, '<none>@<none>'),
    }),
  },
];

export function downShape(minor: ApiMinor, subject: Subject, answer: Shape): Shape {
  const steps = STEPS.filter(({ before, of }) => minor < before && of.includes(subject));
  return steps.reduce((shape, step) => step.shape(shape), answer);
}
