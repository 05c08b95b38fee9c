/** Options of `run` and `create`, and the request that they make: Docker's names, as far as they still make sense. */

import { TsdError } from '../../../model/errors/errors.ts';
import { type Command, Option } from '../../command-line/command.ts';
import { bytesArgument, nanoCpus, numberArgument, restartOf } from '../../limit-arguments.ts';
import { collect } from '../../options.ts';
import { labelsOf } from './labels.ts';

export interface CreateOptions {
  readonly name?: string;
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly rm?: boolean;
  readonly volume?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly publish?: readonly string[];
  readonly publishAll?: boolean;
  readonly env?: readonly string[];
  readonly label?: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
  readonly hostname?: string;
  readonly entrypoint?: string;
  readonly network?: string;
  readonly networkAlias?: readonly string[];
  readonly ip?: string;
  readonly addHost?: readonly string[];
  readonly dns?: readonly string[];
  readonly link?: readonly string[];
  readonly restart?: string;
  readonly memory?: number;
  readonly cpus?: number;
  readonly pidsLimit?: number;
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly privileged?: boolean;
  readonly readOnly?: boolean;
  readonly securityOpt?: readonly string[];
  readonly init?: boolean;
  readonly stopSignal?: string;
  readonly platform?: string;
}

export function createOptions(command: Command): void {
  const many = (flags: string, text: string) =>
    command.addOption(new Option(flags, `${text}; repeatable`).argParser(collect));
  command.option('--name <name>', 'its name (default: one that is made up)');
  command.option('-i, --interactive', 'keep standard input open');
  command.option('-t, --tty', 'give it a terminal');
  command.option('--rm', 'remove it when it has ended');
  many('-v, --volume <mount>', 'VOLUME:/target, /dir:/target or /target, with :ro for read-only');
  many('--tmpfs <target>', 'a directory in memory: /target[:options]');
  many('-p, --publish <port>', '[ADDRESS:][HOST:]CONTAINER[/PROTOCOL], each a port or a range');
  command.option('-P, --publish-all', 'publish all ports that it exposes');
  many('-e, --env <variable>', 'K=V, or K to take its value from here');
  many('-l, --label <key=value>', 'a label');
  command.option('-w, --workdir <dir>', 'directory to start in');
  command.option('-u, --user <user>', 'USER[:GROUP] by name or number');
  command.option('--hostname <name>', 'host name inside');
  command.option('--entrypoint <program>', "in place of the image's");
  command.option('--network <network>', 'bridge, host, none, container:NAME or a network');
  many('--network-alias <name>', 'another name on its network');
  command.option('--ip <address>', 'a fixed IPv4 address');
  many('--add-host <name:address>', 'a line of /etc/hosts');
  many('--dns <address>', 'a name server');
  many('--link <container>', 'NAME[:ALIAS] of another container');
  command.option('--restart <policy>', 'no, always, unless-stopped, on-failure[:N] (default: no)');
  command.addOption(new Option('-m, --memory <size>', 'limit of memory: 256m').argParser(bytesArgument));
  command.addOption(new Option('--cpus <number>', 'limit of processors: 0.5').argParser(numberArgument));
  command.addOption(new Option('--pids-limit <number>', 'limit of processes').argParser(numberArgument));
  many('--cap-add <capability>', 'a capability to add');
  many('--cap-drop <capability>', 'a capability to drop, or ALL');
  command.option('--privileged', 'root inside is root outside');
  command.option('--read-only', 'a read-only root filesystem');
  many('--security-opt <option>', 'no-new-privileges, seccomp=unconfined');
  command.option('--init', 'run it under a minimal init');
  command.option('--stop-signal <signal>', 'asks it to stop');
  command.option('--platform <platform>', 'of the image: linux/arm64');
  command.passThroughOptions();
}

/** `K` alone takes its value from here and is left out when it has none. */
function environmentOf(words: readonly string[] = [], env: Readonly<Record<string, string | undefined>>): string[] {
  return words.flatMap((word) => {
    if (word.includes('=')) return [word];
    const value = env[word];
    return value === undefined ? [] : [`${word}=${value}`];
  });
}

interface Binding {
  readonly HostIp: string;
  readonly HostPort: string;
}

/** @throws TsdError TSD_BAD_REQUEST for what is no port */
function bindingsOf(words: readonly string[] = []): Record<string, Binding[]> {
  const bindings: Record<string, Binding[]> = {};
  for (const word of words) {
    const found =
      /^(?:(?<ip>\[[0-9a-f:]+\]|\d+(?:\.\d+){3}):)?(?:(?<host>[\d-]*):)?(?<first>\d+)(?:-(?<last>\d+))?(?:\/(?<protocol>tcp|udp|sctp))?$/i.exec(
        word,
      )?.groups;
    const [first, last] = [Number(found?.first), Number(found?.last ?? found?.first)];
    if (found === undefined || last < first || last > 65535) {
      throw new TsdError('TSD_BAD_REQUEST', `-p ${word} is no port`, {
        hint: 'For example -p 8080:80, -p 127.0.0.1:53:53/udp.',
      });
    }
    const hosts = hostPorts(found.host, last - first + 1, word);
    for (let port = first; port <= last; port++) {
      const key = `${port}/${(found.protocol ?? 'tcp').toLowerCase()}`;
      const binding = { HostIp: (found.ip ?? '').replace(/[[\]]/g, ''), HostPort: hosts[port - first] ?? '' };
      bindings[key] = [...(bindings[key] ?? []), binding];
    }
  }
  return bindings;
}

/** A range for one port stays a range: any of it. */
function hostPorts(text: string | undefined, count: number, word: string): readonly string[] {
  if (text === undefined || text === '') return [];
  const [low = '', high = low] = text.split('-');
  const size = Number(high) - Number(low) + 1;
  if (count === 1) return [text];
  if (size === count) return Array.from({ length: count }, (_, at) => String(Number(low) + at));
  throw new TsdError('TSD_BAD_REQUEST', `-p ${word}: the ranges have different lengths`);
}

const given = <T>(name: string, value: T | undefined): Record<string, T> =>
  value === undefined ? {} : { [name]: value };

/** The body of POST /containers/create. @param attached a client is connected to it from the beginning */
export function creationOf(
  image: string,
  command: readonly string[],
  options: CreateOptions,
  env: Readonly<Record<string, string | undefined>>,
  attached: boolean,
): unknown {
  const { interactive = false, tty = false, volume = [], network } = options;
  const bindings = bindingsOf(options.publish);
  const anonymous = volume.filter((one) => !one.includes(':'));
  const endpoint = {
    ...given('Aliases', options.networkAlias),
    ...(options.ip !== undefined && { IPAMConfig: { IPv4Address: options.ip } }),
  };
  const term = tty && env.TERM !== undefined ? [`TERM=${env.TERM}`] : [];
  return {
    Image: image,
    ...(command.length > 0 && { Cmd: command }),
    ...(options.entrypoint !== undefined && { Entrypoint: [options.entrypoint] }),
    Tty: tty,
    OpenStdin: interactive,
    StdinOnce: interactive && attached,
    AttachStdin: interactive && attached,
    AttachStdout: attached,
    AttachStderr: attached,
    Env: [...term, ...environmentOf(options.env, env)],
    Labels: labelsOf(options.label),
    ...given('WorkingDir', options.workdir),
    ...given('User', options.user),
    ...given('Hostname', options.hostname),
    ...given('StopSignal', options.stopSignal),
    ExposedPorts: Object.fromEntries(Object.keys(bindings).map((port) => [port, {}])),
    Volumes: Object.fromEntries(anonymous.map((target) => [target, {}])),
    HostConfig: {
      Binds: volume.filter((one) => one.includes(':')),
      ...(options.tmpfs !== undefined && {
        Tmpfs: Object.fromEntries(options.tmpfs.map((one) => [one.split(':')[0], one.split(':')[1] ?? ''])),
      }),
      PortBindings: bindings,
      PublishAllPorts: options.publishAll === true,
      AutoRemove: options.rm === true,
      NetworkMode: network ?? 'default',
      RestartPolicy: restartOf(options.restart ?? 'no'),
      ...given('ExtraHosts', options.addHost),
      ...given('Dns', options.dns),
      ...given('Links', options.link),
      ...given('Memory', options.memory),
      ...(options.cpus !== undefined && { NanoCpus: nanoCpus(options.cpus) }),
      ...given('PidsLimit', options.pidsLimit),
      ...given('CapAdd', options.capAdd),
      ...given('CapDrop', options.capDrop),
      Privileged: options.privileged === true,
      ReadonlyRootfs: options.readOnly === true,
      ...given('SecurityOpt', options.securityOpt),
      ...given('Init', options.init),
    },
    ...(network !== undefined &&
      Object.keys(endpoint).length > 0 && { NetworkingConfig: { EndpointsConfig: { [network]: endpoint } } }),
  };
}
