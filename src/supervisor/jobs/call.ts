/** A call of the supervisor's facade as a job: typed for the routes; by arguments and environment for callers by name. */
import type { Caller, ServedCalls } from '../../api/served.ts';
import type { StdioSession } from '../../drivers/contract/exec.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Handler, Job } from '../../engine/job.ts';
import type { JobSpec } from '../../engine/job-spec.ts';
import type { TsdError } from '../../model/errors/errors.ts';
import { handOver, type Session, writeSession } from './call-sessions.ts';
import { streamOf, writeStream } from './call-streams.ts';
import type { Parameter, Shown } from './parameters.ts';

// biome-ignore lint/suspicious/noExplicitAny: a function of any parameters; unknown[] would take none of them
type AnyCall = (...args: any[]) => unknown;

type ParametersOf<F> = F extends (...args: infer A) => unknown
  ? { readonly [I in keyof Required<A>]: Parameter<Required<A>[I]> }
  : never;

type KindOf<R> = R extends AsyncIterable<unknown> ? 'stream' : Awaited<R> extends StdioSession ? 'session' : 'value';

interface Call<F> {
  /** Of its job. */
  readonly name: string;
  readonly summary: string;
  readonly kind: F extends AnyCall ? KindOf<ReturnType<F>> : never;
  readonly parameters: ParametersOf<F>;
  /** Says why an answer is an error of a job run by name, whose caller looks at the status alone. */
  readonly refusal?: F extends AnyCall ? (answer: Awaited<ReturnType<F>>, job: Job) => TsdError | null : never;
  readonly shownArgs?: number;
  readonly confirm?: string;
  readonly dangerous?: true;
  readonly recorded?: true;
  readonly endless?: true;
  readonly cancelledAtShutdown?: true;
  readonly uncancellable?: true;
  /** Its session is with a payload that is not the requester's alone: a job that is cancelled leaves that running. */
  readonly sharesPayload?: true;
}

/** One call for each method of a part of the facade: what has none does not compile. */
export type CallsOf<Api> = { readonly [K in keyof Api as Api[K] extends AnyCall ? K : never]: Call<Api[K]> };

/** A call without its types. */
interface PlainCall {
  readonly name: string;
  readonly summary: string;
  readonly confirm?: string;
  readonly kind: 'value' | 'stream' | 'session';
  readonly parameters: readonly Parameter<unknown>[];
  readonly sharesPayload?: true;
  readonly refusal?: (answer: unknown, job: Job) => TsdError | null;
}

/** What a typed call gives its job. */
interface Typed {
  readonly parameters: readonly unknown[];
  /** Takes the result; the job lasts until it resolves. */
  readonly take: (result: unknown) => undefined | Promise<unknown>;
}

const WRITES = {
  value: 'the answer as a line of JSON',
  stream: 'a line of JSON for each event',
  session: 'what the command writes',
} as const;

const plainCalls = (calls: object): [method: string, call: PlainCall][] => Object.entries(calls);

export function specsOf(calls: object): readonly JobSpec[] {
  return plainCalls(calls).map(([, call]) => specOf(call));
}

function specOf({ kind, parameters, sharesPayload: _, refusal: __, ...said }: PlainCall): JobSpec {
  const usages = parameters.map(({ usage }) => usage).filter((usage) => usage !== undefined && usage !== '');
  const stdin = parameters.find((parameter) => parameter.stdin !== undefined)?.stdin;
  return {
    ...said,
    ...(usages.length > 0 && { args: usages.join(' ') }),
    env: Object.assign(
      {},
      ...parameters.map(({ env }) => env ?? {}),
      said.confirm === undefined ? {} : { yes: { text: '1: I mean it' } },
    ),
    ...(stdin !== undefined && { stdin }),
    ...(kind === 'session' && stdin === undefined && { stdin: 'what the command reads' }),
    stdout: WRITES[kind],
  };
}

/** Registers a job for each method of a part of the facade. */
export function registerCalls<Api extends object>(engine: Engine, api: Api, calls: CallsOf<Api>): void {
  for (const [name, call] of plainCalls(calls)) {
    const method = (api as Record<string, AnyCall>)[name] as AnyCall;
    const spec = specOf(call);
    engine.register(spec, handlerOf(call, method.bind(api)));
  }
}

/** Returns the same methods for one requester, each run as its job. */
export function callsFor<Api extends object>(
  engine: Engine,
  calls: CallsOf<Api>,
): (caller: Caller) => ServedCalls<Api> {
  const methods: Record<string, PropertyDescriptor> = {};
  for (const [name, call] of plainCalls(calls)) {
    const perform = performerOf(engine, call);
    methods[name] = {
      value(this: { readonly caller: Caller }, ...parameters: unknown[]): unknown {
        return perform(parameters, this.caller);
      },
    };
  }
  const prototype = Object.create(null, methods);
  return (caller) => Object.create(prototype, { caller: { value: caller } }) as ServedCalls<Api>;
}

function handlerOf({ kind, parameters, sharesPayload, refusal }: PlainCall, method: AnyCall): Handler {
  return async (job) => {
    const typed = job.payload as Typed | undefined;
    const result = method(
      ...(typed === undefined ? await readAll(parameters, job) : withSignal(parameters, typed, job)),
    );
    // A stream is given on as it is; a session, once it is there.
    const given = kind === 'stream' ? result : await result;
    if (typed !== undefined) {
      const status = await typed.take(given);
      return typeof status === 'number' ? status : undefined;
    }
    const refused = refusal?.(given, job) ?? null;
    if (refused !== null) throw refused;
    if (kind === 'stream') await writeStream(job, given as AsyncIterable<unknown>);
    else if (kind === 'session') return await writeSession(job, given as StdioSession, sharesPayload !== true);
    else if (given !== undefined) await job.stdout.write(`${JSON.stringify(given)}\n`);
    return undefined;
  };
}

async function readAll(parameters: readonly Parameter<unknown>[], job: Job): Promise<readonly unknown[]> {
  const source = { job, words: [...job.args] };
  const values: unknown[] = [];
  for (const parameter of parameters) values.push(await parameter.read(source));
  return values;
}

function withSignal(parameters: readonly Parameter<unknown>[], typed: Typed, job: Job): readonly unknown[] {
  return parameters.map((parameter, index) => (parameter.isSignal === true ? job.signal : typed.parameters[index]));
}

function performerOf(engine: Engine, call: PlainCall): (parameters: readonly unknown[], caller: Caller) => unknown {
  const begin = (parameters: readonly unknown[], caller: Caller, take: Typed['take']): Job => {
    const shown = shownOf(call, parameters);
    const payload: Typed = { parameters, take };
    const { uid, signal } = caller;
    return engine.job(call.name, shown.args, { payload, env: shown.env, signal, by: { uid } });
  };
  if (call.kind === 'stream') {
    return (parameters, caller) => streamOf((take) => begin(parameters, caller, take as Typed['take']));
  }
  if (call.kind === 'session') {
    return (parameters, caller) => handOver((take) => begin(parameters, caller, (given) => take(given as Session)));
  }
  return async (parameters, caller) => {
    let result: unknown;
    const keep = (given: unknown): undefined => {
      result = given;
    };
    await begin(parameters, caller, keep).run();
    return result;
  };
}

function shownOf({ parameters }: PlainCall, values: readonly unknown[]): Shown {
  const shown: Shown = { args: [], env: {} };
  for (const [index, parameter] of parameters.entries()) {
    if (values[index] !== undefined) parameter.show(values[index], shown);
  }
  return shown;
}
