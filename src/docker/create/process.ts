/** The program of a container: command line, environment, names, terminal, the way it is stopped. */
import { parseSignal } from '../../model/kinds/runtime-forms.ts';
import type { ContainerBody } from './container-body.ts';
import { type CreateContext, refuse, type Section } from './context.ts';
import type { ImageFacts } from './image-facts.ts';

/** Docker waits without an end for a negative time; the longest here. */
const FOREVER = `${2 ** 31 - 1}ms`;

/**
 * Docker takes the image's command where neither entrypoint nor command is given, and the image's entrypoint only where the
 * body has none: the empty one takes it away, and so does one empty word, with which the image's command goes too.
 */
function commandLine({ Entrypoint, Cmd }: ContainerBody, image: ImageFacts) {
  const given = Entrypoint ?? [];
  const command = given.length === 0 && Cmd.length === 0 ? image.Cmd : Cmd;
  const own = given.length === 1 && given[0] === '' ? [] : Entrypoint;
  if ((own ?? image.Entrypoint ?? []).length === 0 && command.length === 0) refuse('no command specified');
  return {
    ...(own !== null && { entrypoint: own }),
    // With an entrypoint of its own a container here does not have the image's command.
    ...((Cmd.length > 0 || (own !== null && command.length > 0)) && { command }),
  };
}

/** A name without a value takes the variable of the image away, which a specification cannot say. */
function environment(variables: readonly string[], image: ImageFacts): Readonly<Record<string, string>> {
  const found: [string, string][] = [];
  for (const variable of variables) {
    const [, name = '', value] = /^([^=]*)(?:=(.*))?$/s.exec(variable) ?? [];
    if (name === '') refuse(`invalid environment variable: ${variable}`);
    if (value !== undefined) found.push([name, value]);
    else if (image.Env.some((inherited) => inherited.startsWith(`${name}=`)))
      refuse(`${name}: the image sets this variable, and it cannot be removed; set it to another value`);
  }
  return Object.fromEntries(found);
}

function stopping({ StopSignal, StopTimeout }: ContainerBody, image: ImageFacts) {
  const named = StopSignal === '' ? image.StopSignal : StopSignal;
  const signal = named === '' ? null : parseSignal(named);
  if (signal?.ok === false && StopSignal !== '') refuse(`invalid signal: ${StopSignal}`);
  return {
    ...(signal?.ok && { stopSignal: signal.value }),
    ...(StopTimeout !== null && { stopTimeout: StopTimeout < 0 ? FOREVER : `${StopTimeout}s` }),
  };
}

export function processSection(body: ContainerBody, { image }: CreateContext): Section {
  const { WorkingDir, Hostname, Domainname, HostConfig } = body;
  if (WorkingDir !== '' && !WorkingDir.startsWith('/'))
    refuse(`the working directory '${WorkingDir}' is invalid, it needs to be an absolute path`);
  const env = environment(body.Env, image);
  // Those of an image are labels of its containers.
  const labels = { ...image.Labels, ...body.Labels };
  return {
    written: {
      ...commandLine(body, image),
      ...(Object.keys(env).length > 0 && { env }),
      ...(Object.keys(labels).length > 0 && { labels }),
      ...(WorkingDir !== '' && { workingDir: WorkingDir }),
      ...(body.User !== '' && { user: body.User }),
      ...(Hostname !== '' && { hostname: Hostname }),
      ...(Domainname !== '' && { domainname: Domainname }),
      ...(body.Tty && { tty: true }),
      ...(body.OpenStdin && { stdin: true }),
      // Only the first process of a pid namespace gets its orphans.
      ...(HostConfig.Init && HostConfig.PidMode === '' && { init: true }),
      ...stopping(body, image),
    },
  };
}
