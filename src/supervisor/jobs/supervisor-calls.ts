/** The calls of the facade on what is wanted and what runs, as jobs. */
import { z } from 'zod';
import type { ExecRequest, ManifestInput } from '../../api/requests.ts';
import { killBody, logQuery, restartBody, startBody, stopBody } from '../../api/routes/containers.ts';
import { eventQuery, rollbackBody } from '../../api/routes/explain.ts';
import { applyBody, removeBody } from '../../api/routes/manifests.ts';
import { LISTS } from '../../api/routes/queries.ts';
import { absolutePath, kind as kindSchema } from '../../api/routes/schemas.ts';
import { execRequest } from '../../api/routes/sessions.ts';
import type { SupervisorApi } from '../../api/supervisor.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { append } from '../../model/lists.ts';
import type { CallsOf } from './call.ts';
import { asked, asker, object, type Parameter, secret, signal, variable, word, wordOf, words } from './parameters.ts';

const kind = wordOf('KIND', kindSchema);
const list = wordOf('LIST', z.enum(LISTS));
const container = word('CONTAINER');
const generation = wordOf('GENERATION', z.coerce.number().int().min(1));

/** A manifest on standard input; none where there is no input. */
const manifests: Parameter<readonly ManifestInput[]> = {
  env: { baseDir: { text: 'the absolute directory from which relative paths of the manifest start' } },
  stdin: 'a manifest',
  read: async ({ job }) => {
    const text = await job.stdin.text();
    return text.trim() === '' ? [] : [{ file: '-', baseDir: job.env.get('baseDir'), text }];
  },
  show: (inputs, { args }) => {
    for (const { file } of inputs) args.push(file);
  },
};

const WAIT = 'how long to wait for it, in ms; left out, it does not wait';
const SETTLE = 'how long a container without a probe has to run, in ms; left out, what its manifest says';
const starting = {
  settleMs: SETTLE,
  waitMs: 'how long it may take in all, in ms',
  together: '1: others are asked for the same at the same time',
};

const surroundings = object(execRequest.omit({ argv: true }), {
  env: secret('variables as a JSON list of K=V'),
  cwd: 'the working directory',
  user: 'USER[:GROUP]',
  tty: '1: with a terminal',
  stdin: '1: connect standard input',
});

/** A command with its arguments, of which a password may be one. */
const command: Parameter<ExecRequest> = {
  ...surroundings,
  usage: 'COMMAND [ARG…]',
  read: async (source) => {
    const program = await word('COMMAND').read(source);
    const argv = [program, ...source.words.splice(0)];
    return { argv, ...(await surroundings.read(source)) };
  },
  show: ({ argv }, { args }) => append(args, argv),
};

export const SUPERVISOR_CALLS: CallsOf<SupervisorApi> = {
  info: { name: 'info', summary: 'shows the supervisor and its host', kind: 'value', parameters: [] },
  list: {
    name: 'list',
    summary: `lists what there is: ${LISTS.join(', ')}`,
    kind: 'value',
    parameters: [list],
  },
  describe: {
    name: 'describe',
    summary: 'shows everything about one resource',
    kind: 'value',
    parameters: [kind, word('NAME')],
  },
  apply: {
    name: 'apply',
    summary: 'takes over a manifest',
    kind: 'stream',
    parameters: [
      manifests,
      asked(
        object(applyBody.omit({ manifests: true }), {
          dryRun: '1: only says what would be done',
          waitMs: WAIT,
          settleMs: SETTLE,
          refresh: '1: resolves images again',
          noCache: '1: builds declared images again, each step of them',
        }),
      ),
      signal,
    ],
  },
  plan: {
    name: 'plan',
    summary: 'says what would be done, now or with a manifest applied',
    kind: 'value',
    parameters: [manifests],
  },
  approvals: { name: 'approvals', summary: 'lists what waits for approval', kind: 'value', parameters: [] },
  diff: {
    name: 'diff',
    summary: 'says which fields a manifest would change',
    kind: 'value',
    parameters: [manifests],
  },
  remove: {
    name: 'remove',
    summary: 'takes back what was applied',
    dangerous: true,
    kind: 'stream',
    parameters: [
      asked(
        object(removeBody, {
          files: 'manifests as JSON: a list of {file, baseDir, text}',
          resources: 'resources as JSON: a list of {kind, name}',
          all: '1: all that was applied',
          waitMs: WAIT,
        }),
      ),
      signal,
    ],
  },
  approve: {
    name: 'approve',
    summary: 'lets through what is held back: the named, or all',
    kind: 'value',
    parameters: [words('NAME'), asker],
    refusal: ({ names }, { args }) =>
      names.length > 0 || args.length === 0
        ? null
        : new TsdError('TSD_NO_SUCH_RESOURCE', `nothing that waits for approval is named ${args.join(' or ')}`, {
            hint: '`tsdocker job approvals` lists what can be approved.',
          }),
  },
  stop: {
    name: 'stop',
    summary: 'stops a container and keeps it stopped',
    kind: 'value',
    parameters: [
      container,
      variable('timeoutMs', 'how long it has until it is killed, in ms', stopBody.shape.timeoutMs),
      variable('forMs', 'how long the stop holds, in ms; left out, until it is started', stopBody.shape.forMs),
      signal,
    ],
  },
  start: {
    name: 'start',
    summary: 'starts a stopped container',
    kind: 'value',
    parameters: [container, object(startBody.extend({ together: z.boolean().optional() }), starting), signal],
  },
  restart: {
    name: 'restart',
    summary: 'stops a container and starts it',
    kind: 'value',
    parameters: [
      container,
      variable('timeoutMs', 'how long it has until it is killed, in ms', restartBody.shape.timeoutMs),
      object(startBody.extend({ together: z.boolean().optional() }), starting),
      signal,
    ],
  },
  members: { name: 'members', summary: 'lists the containers of an app', kind: 'value', parameters: [word('APP')] },
  kill: {
    name: 'kill',
    summary: 'sends a signal to a container',
    kind: 'value',
    parameters: [container, wordOf('SIGNAL', killBody.shape.signal), signal],
  },
  wait: {
    name: 'wait',
    summary: 'waits for the end of a run; answers its exit code',
    kind: 'value',
    parameters: [container, signal],
  },
  logs: {
    name: 'logs',
    summary: 'gives what a container wrote',
    kind: 'stream',
    parameters: [
      container,
      object(logQuery, {
        follow: '1: and what it writes from now on',
        tail: 'so many entries from the end',
        sinceMs: 'from this time on, Unix time in ms',
        untilMs: 'up to this time, Unix time in ms',
        stdout: '0: without standard output',
        stderr: '0: without standard error',
      }),
      signal,
    ],
  },
  exec: {
    name: 'exec',
    summary: 'runs a command in a container; its status is that of the command',
    kind: 'session',
    parameters: [container, command, signal],
    shownArgs: 2,
  },
  attach: {
    name: 'attach',
    summary: 'connects to what a container reads and writes',
    kind: 'session',
    parameters: [container, signal],
    sharesPayload: true,
  },
  load: {
    name: 'load',
    summary: 'loads the images of an archive or OCI layout of this host',
    kind: 'stream',
    parameters: [wordOf('PATH', absolutePath), signal],
    recorded: true,
  },
  doctor: { name: 'doctor', summary: 'checks what this host can do', kind: 'value', parameters: [] },
  history: {
    name: 'generations',
    summary: 'lists generations and what they changed, the newest first',
    kind: 'value',
    parameters: [variable('limit', 'at most so many', z.coerce.number().int().min(1).default(100))],
  },
  historyDiff: {
    name: 'generation_diff',
    summary: 'says field by field what a generation changed',
    kind: 'value',
    parameters: [generation],
  },
  rollback: {
    name: 'rollback',
    summary: 'goes back to an earlier generation',
    kind: 'stream',
    parameters: [
      generation,
      asked(
        object(rollbackBody.omit({ generation: true }), {
          hold: '1: keeps watched files that differ from being obeyed until they change',
          dryRun: '1: only says what would be done',
          waitMs: WAIT,
          settleMs: SETTLE,
        }),
      ),
      signal,
    ],
  },
  why: {
    name: 'why',
    summary: 'tells why a resource is as it is',
    kind: 'value',
    parameters: [kind, word('NAME')],
  },
  timeline: {
    name: 'timeline',
    summary: 'gives what happened',
    kind: 'stream',
    parameters: [
      object(eventQuery, {
        follow: '1: and what happens from now on',
        sinceMs: 'from this time on, Unix time in ms',
      }),
      signal,
    ],
  },
  watch: {
    name: 'watch',
    summary: 'gives a list, and again whenever it is another one',
    kind: 'stream',
    parameters: [list, signal],
  },
  hostShutdown: {
    name: 'host_shutdown',
    summary: 'ends the loop and stops every container, as before the host goes down',
    kind: 'value',
    parameters: [],
    uncancellable: true,
    dangerous: true,
  },
  reset: {
    name: 'reset',
    summary: 'takes the whole instance away and ends the supervisor',
    kind: 'value',
    parameters: [object(z.object({ volumes: z.boolean() }), { volumes: '1: also data of volumes' })],
    confirm: '`tsdocker system reset` shows what goes and asks. With `--env yes=1` the job goes ahead.',
    dangerous: true,
    endless: true,
    uncancellable: true,
  },
};
